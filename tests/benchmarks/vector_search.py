"""Time a search among 1,000 and 10,000 vectors: numpy, and Qdrant in its embedded form. `make bench`.

Writes data/measured/vector_search.csv, which lesson 10 shows: median milliseconds of 50 searches for the
10 nearest among random unit vectors of 1024 dimensions, seconds to build, the machine and the day.
"""

import csv
import datetime
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from qdrant_client import QdrantClient, models

OUT = Path(__file__).parents[2] / "data" / "measured" / "vector_search.csv"
SIZES, DIMENSIONS, SEARCHES = (1_000, 10_000), 1024, 50


def unit(rng, count):
    vectors = rng.standard_normal((count, DIMENSIONS)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def by_numpy(vectors):
    def search(query):
        scores = vectors @ query
        best = np.argpartition(-scores, 10)[:10]
        return best[np.argsort(-scores[best])].tolist()

    return search


def by_qdrant(vectors, **place):
    client = QdrantClient(**place)
    config = models.VectorParams(size=DIMENSIONS, distance=models.Distance.COSINE)
    client.create_collection("speed", vectors_config=config)
    for start in range(0, len(vectors), 1000):
        points = [
            models.PointStruct(id=start + i, vector=row.tolist(), payload={"even": i % 2 == 0})
            for i, row in enumerate(vectors[start : start + 1000])
        ]
        client.upsert("speed", points)
    return lambda query: [
        p.id for p in client.query_points("speed", query.tolist(), limit=10).points
    ]


def main():
    rng, rows = np.random.default_rng(0), []
    for size in SIZES:
        vectors, queries = unit(rng, size), unit(rng, SEARCHES)
        truth = [by_numpy(vectors)(query) for query in queries]
        with tempfile.TemporaryDirectory() as folder:
            for method, build in {
                "numpy": lambda v=vectors: by_numpy(v),
                "Qdrant, in memory": lambda v=vectors: by_qdrant(v, location=":memory:"),
                "Qdrant, on disk": lambda v=vectors, f=folder: by_qdrant(v, path=f),
            }.items():
                began = time.perf_counter()
                search = build()
                built, times = time.perf_counter() - began, []
                for query, right in zip(queries, truth, strict=True):
                    began = time.perf_counter()
                    found = search(query)
                    times.append(time.perf_counter() - began)
                    assert found == right, "all three search exactly"
                rows.append(
                    (size, method, round(built, 2), round(statistics.median(times) * 1000, 2))
                )
                print(*rows[-1])
    machine = f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    OUT.parent.mkdir(exist_ok=True)
    with OUT.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("vectors", "method", "build_s", "search_ms", "machine", "date"))
        writer.writerows((*row, machine, datetime.date.today().isoformat()) for row in rows)


if __name__ == "__main__":
    main()
