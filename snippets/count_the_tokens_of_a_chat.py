# Count the tokens of a chat.
# From notebooks/06_errors.ipynb, section “Trigger the remaining errors”.
# Needs: pip install "mistral-common[sentencepiece]"

from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

encode = MistralTokenizer.v3(is_tekken=True).instruct_tokenizer.tokenizer.encode
chat = [{"role": "user", "content": "Name a fruit. One word."}]
chat += [{"role": "assistant", "content": "Apricot"}, {"role": "user", "content": "Another."}]
# mistral-small-latest adds a text, one token at the start, two around each text, one after an answer.
texts = [message["content"] for message in chat] + ['{"reasoning_effort": "none"}']
answers = sum(message["role"] == "assistant" for message in chat)
print(1 + sum(len(encode(text, bos=False, eos=False)) + 2 for text in texts) - answers, "tokens")
