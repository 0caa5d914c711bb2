"""Right and wrong answers to lesson 01's exercises."""

import os

import httpx
from dotenv import dotenv_values, load_dotenv

from tests.lessons.solutions import Answers

URL = "https://api.mistral.ai/v1/models"
KEY = "an-example-and-not-a-key"


def by_get(file):
    if key := os.environ.get("MISTRAL_API_KEY") or dotenv_values(file).get("MISTRAL_API_KEY"):
        return key
    raise RuntimeError(f"Set MISTRAL_API_KEY, or write it into {file.name}.")


def by_load(file):
    if not os.environ.get("MISTRAL_API_KEY"):
        load_dotenv(file, override=True)
    if not os.environ.get("MISTRAL_API_KEY"):
        raise RuntimeError("MISTRAL_API_KEY is not set.")
    return os.environ["MISTRAL_API_KEY"]


def file_first(file):
    return dotenv_values(file).get("MISTRAL_API_KEY") or os.environ["MISTRAL_API_KEY"]


def only_missing(file):
    load_dotenv(file)
    return os.environ["MISTRAL_API_KEY"]


def returns_none(file):
    return os.environ.get("MISTRAL_API_KEY") or dotenv_values(file).get("MISTRAL_API_KEY")


def silent(file):
    if key := returns_none(file):
        return key
    raise RuntimeError("No key.")


def built(key=f"Bearer {KEY}", method="GET", url=URL, header="Authorization"):
    return httpx.Request(method, url, headers={header: key})


LEAKY = """\
def {name}(folder, own):
    return [path{end} for path in folder.{walk} if {test}find_keys(path, own)]
check.leaky_files({name})"""


def leaky(walk, test="path.is_file() and ", end=".name"):
    return LEAKY.format(name="scan_folder", walk=walk, test=test, end=end)


CAUSES = {
    "report": "key",
    "chatbot": "plan",
    "search": "plan",
    "nightly": "key",
    "website": "server",
}

ANSWERS = {
    "winners": Answers(
        right=[
            (("environment", "file", "environment"),),
            (["environment", "file", "environment"],),
        ],
        wrong=[
            ((("file",),), "Three predictions"),
            ((("file", "file", "file"),), "Row 1: not 'file'"),
            ((("environment", "environment", "environment"),), "Row 2"),
            ((("environment", "file", "file"),), "Row 3: not 'file'. An empty variable is there"),
            ((("environment", "file", "empty"),), "and not 'empty'"),
        ],
    ),
    "causes": Answers(
        right=[(CAUSES,), (dict(reversed(CAUSES.items())),)],
        wrong=[
            ((CAUSES | {"search": "key"},), "'search' did not stop because of its key"),
            ((CAUSES | {"website": "plan"},), "'website' did not stop because of its plan"),
            ((CAUSES | {"chatbot": 429},), "and not 429"),
            (({"report": "key"},), "for each program"),
        ],
    ),
    "read_key": Answers(
        right=[(by_get,), (by_load,)],
        wrong=[
            ((file_first,), "both have a key, it returns 'key-in-the-file'"),
            ((only_missing,), "the variable is empty, it returns ''"),
            ((returns_none,), "no key at all"),
            ((silent,), "It says: 'No key.'"),
            ((lambda file: os.environ["MISTRAL_API_KEY"],), "not set, it raises KeyError"),
        ],
    ),
    "request": Answers(
        right=[(built(),), (built(header="authorization", url=httpx.URL(URL)),)],
        wrong=[
            ((built(key=KEY),), "the word Bearer"),
            ((built(key=f"Bearer {KEY}\n"),), "The line break went along"),
            ((built(url=f"{URL}?key={KEY}"),), "in the address"),
            ((built(method="POST"),), "a POST"),
            ((built(url=URL[:-1]),), "not at https://api.mistral.ai/v1/model."),
            ((built(header="X-Api-Key"),), "Authorization"),
            ((KEY,), "a str"),
        ],
    ),
    "leaky_files": Answers(
        right=[leaky("rglob('*')"), leaky("iterdir()", end="")],
        wrong=[
            (leaky("iterdir()", test=""), "another folder in it"),
            (leaky("glob('*.*')"), "missed 'Dockerfile'"),
            (leaky("iterdir()").replace("path, own)]", "path, own_key)]"), "passed as `own`"),
            ((lambda folder, own: [path.name for path in folder.iterdir()],), "holds no key"),
            ((lambda folder, own: True,), "returned True"),
        ],
    ),
    "rotate": Answers(
        right=[("BCDAE",), ("BDCAE",), (list("EBDCA"),), ("b, c, d, a, e",)],
        wrong=[
            (("ABCDE",), "they stop"),
            (("BDACE",), "before you know"),
            (("CBDAE",), "no new key yet"),
            (("BCDA",), "You have BCDA."),
        ],
    ),
}
