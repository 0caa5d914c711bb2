# Validate a training sample.
# From notebooks/08_fine_tuning_data.ipynb, section “Whose rules?”.
# Needs: pip install "mistral-common[sentencepiece]"

from mistral_common.protocol.instruct.messages import FinetuningMessage
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.protocol.instruct.validator import MistralRequestValidatorV15, ValidationMode

validator = MistralRequestValidatorV15(ValidationMode.finetuning)
sample = {"messages": [{"role": "user", "content": "Do you rent trailers?"}]}
try:
    validator.validate_request(ChatCompletionRequest[FinetuningMessage](**sample, model="any"))
except Exception as error:
    print(f"{type(error).__name__}: {error}")
