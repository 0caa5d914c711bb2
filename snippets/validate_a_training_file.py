# Validate a training file.
# From notebooks/08_fine_tuning_data.ipynb, section “Whose rules?”.
# Needs: pip install "mistral-common[sentencepiece]" pydantic
# It names the file, and prints the first problem of each bad line.

import json
from pathlib import Path

from mistral_common.protocol.instruct.messages import FinetuningMessage
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.protocol.instruct.validator import MistralRequestValidatorV15, ValidationMode
from pydantic import ValidationError

path = "train.jsonl"  # your file; without one, an example is checked
example = '{"messages": [{"role": "user", "content": "Do you rent trailers?"}]}'
validator = MistralRequestValidatorV15(ValidationMode.finetuning)
file = Path(path)
print(f"{path}:" if file.exists() else f"{path} isn't there. An example:")
for number, line in enumerate(file.open(encoding="utf-8") if file.exists() else [example], 1):
    try:
        sample = ChatCompletionRequest[FinetuningMessage](**json.loads(line), model="any")
        validator.validate_request(sample)
    except Exception as error:
        many = isinstance(error, ValidationError)
        first = "{loc}: {msg}".format(**error.errors()[0]) if many else error
        print(f"line {number}: {type(error).__name__}: {first}")
