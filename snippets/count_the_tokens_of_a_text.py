# Count the tokens of a text.
# From notebooks/09_cost_comparison.ipynb, section “Tokens first”.
# Needs: pip install "mistral-common[sentencepiece]"

from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

tekken = MistralTokenizer.v3(is_tekken=True).instruct_tokenizer.tokenizer
ids = tekken.encode("Das Fahrradschloss hängt am Ständer.", bos=False, eos=False)
print(len(ids), [tekken.decode([number]) for number in ids])
