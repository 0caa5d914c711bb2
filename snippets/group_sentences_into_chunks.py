# Group sentences into chunks.
# From notebooks/10_semantic_search.ipynb, section “Cut documents into chunks”.

def groups(lengths: list[int], size: int, overlap: int = 0) -> list[tuple[int, int]]:
    """First and last of each run of neighbours whose lengths add up to `size` at most."""
    found, first = [], 0
    for last in range(1, len(lengths)):
        if sum(lengths[first : last + 1]) > size:
            found.append((first, last - 1))
            while sum(lengths[first:last]) > overlap or sum(lengths[first : last + 1]) > size:
                first += 1
                if first == last:
                    break
    return [*found, (first, len(lengths) - 1)]


print(groups([30, 20, 40, 10, 60], size=80), groups([30, 20, 40, 10, 60], size=80, overlap=20))
