# Split Markdown into sections.
# From notebooks/10_semantic_search.ipynb, section “Cut documents into chunks”.

import re


def sections(text: str) -> list[tuple[str, int, int]]:
    """Title, start and end of each section of a Markdown file that holds more than its heading."""
    headings = [*re.finditer(r"^#{1,6} (.+)$", text, flags=re.MULTILINE)]
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    # A text without headings has no sections.
    found = [(h[1], h.end(), end) for h, end in zip(headings, ends, strict=False)]
    return [(title, start, end) for title, start, end in found if text[start:end].strip()]


print(sections("# Prices\n\n## Bicycles\n\n17 euros a day.\n\n## Helmets\n\nFree.\n"))
