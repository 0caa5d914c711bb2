# Validate a training file.
# From notebooks/08_fine_tuning_data.ipynb, section “Whose rules?”.
# Needs: pip install "mistral-common[sentencepiece]"
# It prints a line for each bad line, and nothing for a good file.

import json
from pathlib import Path

from mistral_common.protocol.instruct.messages import FinetuningMessage
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.protocol.instruct.validator import MistralRequestValidatorV15, ValidationMode

path = Path("train.jsonl")  # your file; without one, an example is checked
example = '{"messages": [{"role": "user", "content": "Do you rent trailers?"}]}'
validator = MistralRequestValidatorV15(ValidationMode.finetuning)
for number, line in enumerate(path.open(encoding="utf-8") if path.exists() else [example], 1):
    try:
        sample = ChatCompletionRequest[FinetuningMessage](**json.loads(line), model="any")
        validator.validate_request(sample)
    except Exception as error:
        print(f"line {number}: {type(error).__name__}: {error}")
