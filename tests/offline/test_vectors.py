"""Vectors come per text: stored ones in any order, others from the same model where it is installed."""

import csv
from pathlib import Path

import numpy as np
import pytest

from helpers.offline import bodies, vectors
from helpers.offline.api import Api

DATA = Path(__file__).parent.parent.parent / "data"
OWN = "Which flour makes the best sourdough bread at home, and why?"


@pytest.fixture
def sentences():
    with (DATA / "sentences.csv").open(encoding="utf-8", newline="") as lines:
        return [row["text"] for row in csv.DictReader(lines)]


@pytest.fixture
def without_model(monkeypatch):
    monkeypatch.setattr(vectors, "can_compute", lambda: False)


def embed(texts, **fields):
    body = {"model": "mistral-embed", "input": texts, **fields}
    request = {"method": "POST", "path": "/v1/embeddings", "body": body}
    return Api(["05_embeddings"], own_texts=True).answer(request, bodies.Call.now())


def rows_of(answered):
    from helpers.replay.wire import unpack

    return np.array([row["embedding"] for row in unpack(answered.body)["data"]])


def test_each_text_has_its_vector_in_any_company(sentences, without_model):
    whole = rows_of(embed(sentences))
    assert whole.shape == (len(sentences), 1024)
    assert np.array_equal(rows_of(embed(sentences[::-1])), whole[::-1])
    assert np.array_equal(rows_of(embed(sentences[3:9:2])), whole[3:9:2])
    assert np.array_equal(rows_of(embed(sentences[5])), whole[5:6])
    assert np.array_equal(rows_of(embed([sentences[5]] * 2)), whole[[5, 5]])


def test_every_text_of_the_data_of_lessons_05_and_10_has_a_vector(sentences, without_model):
    with (DATA / "handbook_questions.csv").open(encoding="utf-8", newline="") as lines:
        questions = [row["question"] for row in csv.DictReader(lines) if row["answer"]]
    assert [text for text in [*sentences, *questions] if not vectors.is_stored(text)] == []


def test_the_usage_is_that_of_the_texts(sentences, without_model):
    one, two = (embed(sentences[:number]).body["usage"] for number in (1, 2))
    assert next(iter(one)) == "prompt_audio_seconds"
    assert two["total_tokens"] > one["total_tokens"] == one["prompt_tokens"] > 2


def test_what_has_no_vector_here_is_a_miss(without_model):
    known = "The bank raised its rates."
    for texts, fields in (
        (OWN, {}),
        ([known, OWN], {}),
        (known, {"model": "codestral-embed"}),
        (known, {"encoding_format": "base64"}),
        (known, {"output_dimension": 256}),
        (known, {"output_dtype": "int8"}),
    ):
        with pytest.raises(LookupError):
            embed(texts, **fields)


def test_own_texts_are_never_written_into_the_file(monkeypatch):
    before = vectors.FILE.read_bytes()
    monkeypatch.setattr(vectors, "can_compute", lambda: True)
    monkeypatch.setattr(vectors, "_model", lambda: lambda text: np.full(384, 384**-0.5))
    assert embed(OWN).by == "computed"
    vectors._computed.cache_clear()
    assert vectors.FILE.read_bytes() == before


def test_learning_adds_what_is_missing_and_keeps_the_rest(tmp_path, monkeypatch, sentences):
    file = tmp_path / "vectors.npz"
    file.write_bytes(vectors.FILE.read_bytes())
    old = vectors.vectors(sentences)
    monkeypatch.setattr(vectors, "FILE", file)
    monkeypatch.setattr(vectors, "can_compute", lambda: True)
    monkeypatch.setattr(vectors, "_model", lambda: lambda text: np.full(384, 384**-0.5))
    try:
        vectors._file.cache_clear()
        vectors.learn([sentences[0], OWN])
        assert vectors.is_stored(OWN)
        assert np.array_equal(vectors.vectors(sentences), old)
    finally:
        for cache in (vectors._file, vectors.names, vectors._computed):
            cache.cache_clear()


@pytest.mark.skipif(not vectors.can_compute(), reason="make own-texts")
def test_the_model_gives_the_stored_vectors(sentences):
    some = sentences[::30]
    stored = vectors.vectors(some).astype(float)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vectors, "is_stored", lambda text: False)
        assert np.abs(stored - vectors.vectors(some)).max() < 2e-4
    nearest = rows_of(embed([OWN, *sentences]))
    scores = nearest[1:] @ nearest[0]
    assert "bread" in sentences[int(scores.argmax())].lower()
