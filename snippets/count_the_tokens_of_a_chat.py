# Count the tokens of a chat.
# From notebooks/06_errors.ipynb, section “Count the tokens before you send them”.
# Needs: pip install "mistral-common[sentencepiece]"

from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

encode = MistralTokenizer.v3(is_tekken=True).instruct_tokenizer.tokenizer.encode
chat = [{"role": "user", "content": "Name a fruit. One word."}]
chat += [{"role": "assistant", "content": "Apricot"}, {"role": "user", "content": "Another."}]
settings = {"role": "settings", "content": '{"reasoning_effort": "none"}'}
# How many special tokens mark a text, by its role.
special = {"settings": 2, "system": 2, "user": 2, "tool": 2, "assistant": 1}
tokens = 1  # where the prompt begins
for message in [settings, *chat]:
    tokens += special[message["role"]] + len(encode(message["content"], bos=False, eos=False))
print(tokens, "tokens")
