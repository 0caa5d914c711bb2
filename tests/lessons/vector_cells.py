"""Run the cells of lessons 05 and 10 in this process, with vectors of a test's choosing.

The stand-in API answers instead of the recordings, so that a test can change texts, and can raise all
cosines as those of `mistral-embed` are raised.
"""

import ast
import contextlib
import functools
import io
import re
import symtable

import httpx
import numpy as np
import pytest
from pydantic_core import to_json
from scipy.linalg import hadamard
from threadpoolctl import threadpool_limits

import helpers
from helpers.keys import is_mistral
from helpers.offline import vectors
from helpers.replay import wire
from tests.lessons.cells import NOTEBOOKS, sources
from tests.tools import stand_ins

FLOOR = 0.55
stored = vectors.vectors
# What the stand-in answered, by the vectors, the request and its key: lessons ask the same again.
embedded = {}


@functools.cache
def shared_direction():
    """One of Hadamard's columns that `vectors.turn` leaves out: at right angles to all vectors."""
    return hadamard(vectors.DIMENSIONS)[:, -1] / np.sqrt(vectors.DIMENSIONS)


def with_floor(texts):
    """The stored vectors with a direction in common, so that unrelated texts are at 0.5 to 0.7."""
    raised = np.sqrt(FLOOR) * shared_direction() + np.sqrt(1 - FLOOR) * stored(texts).astype(float)
    return raised.astype(np.float16)


class Lesson:
    """A lesson's code cells and what they have shown so far, by the cells' ids.

    names: the notebook's variables. printed: text. values: the last expression of a cell.
    figures: (figure, description, table) of `helpers.show`.
    """

    def __init__(self, lesson, embed=stored):
        self.sources = sources(lesson) | {"start": "import helpers"}
        self.names, self.printed, self.values, self.figures = {}, {}, {}, {}
        self.stand_in, self.embed = stand_ins.StandIn(lesson), embed

    @contextlib.contextmanager
    def at_home(self):
        """The notebook's folder, with the stand-in API in place of the network."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MISTRAL_API_KEY", stand_ins.KEY)
            patch.setattr(vectors, "vectors", self.embed)
            self.network = httpx.HTTPTransport.handle_request
            patch.setattr(httpx.HTTPTransport, "handle_request", lambda *sent: self.respond(*sent))
            patch.setattr(helpers, "show", self.show)
            # The same JSON, in a tenth of the time.
            patch.setattr(wire, "compact", to_json)
            patch.chdir(NOTEBOOKS)
            with threadpool_limits(1):
                yield

    def respond(self, transport, request):
        if not is_mistral(request.url.host):
            return self.network(transport, request)
        request.read()
        asked = self.embed, request.content, request.headers.get("authorization")
        if "embeddings" not in request.url.path:
            return self.stand_in.respond(httpx, request)
        if asked not in embedded:
            response = self.stand_in.respond(httpx, request)
            embedded[asked] = response.status_code, response.headers, response.read()
        status, headers, content = embedded[asked]
        return httpx.Response(status, headers=headers, content=content, request=request)

    def show(self, figure, description, table=None):
        import matplotlib.pyplot as plt

        # It would draw twice more to find the places of all; nbval's run of the lesson does so.
        figure.set_layout_engine("none")
        figure.draw_without_rendering()
        plt.close(figure)
        self.figures[self.running] = (figure, description, table)

    def edit(self, cell, old, new):
        """Change a cell as a learner does."""
        assert old in self.sources[cell], f"{cell} has no {old!r}"
        self.sources[cell] = self.sources[cell].replace(old, new)

    def run(self, *cells):
        """Run these cells, or all of them, in this order."""
        with self.at_home():
            for cell in cells or self.sources:
                self.running = cell
                self.run_source(cell, self.sources[cell])
        return self

    def run_source(self, cell, source):
        *body, last = ast.parse(source).body or ast.parse("pass").body
        value = ast.Expression(last.value) if isinstance(last, ast.Expr) else None
        body = ast.Module(body if value else [*body, last], [])
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile(body, cell, "exec"), self.names)
            self.values[cell] = value and eval(compile(value, cell, "eval"), self.names)
        self.printed[cell] = out.getvalue()

    def titles(self, cell):
        """All titles of a cell's figure, one a line."""
        figure, _, _ = self.figures[cell]
        return "\n".join([figure.get_suptitle(), *(axes.get_title("left") for axes in figure.axes)])

    def numbers(self, cell):
        """The numbers in the titles and the description of a cell's figure."""
        _, description, _ = self.figures[cell]
        found = re.findall(r"-?\d[\d,]*\.?\d*", self.titles(cell) + description)
        return {float(number.replace(",", "").rstrip(".")) for number in found}

    def clobbered(self):
        """Names that a cell takes from elsewhere although several cells bind them, with the cell."""
        tables = {
            cell: symtable.symtable(text, cell, "exec") for cell, text in self.sources.items()
        }
        bound = {cell: _bound(table) for cell, table in tables.items()}
        seen = [name for names in bound.values() for name in names]
        several = {name for name in seen if seen.count(name) > 1}
        return [
            (cell, name)
            for cell, table in tables.items()
            for name in sorted(several & _needed(table) - bound[cell])
        ]


def _bound(table):
    """The names that a cell binds; imports bind the same wherever they stand."""
    symbols = table.get_symbols()
    return {s.get_name() for s in symbols if s.is_assigned() and not s.is_imported()}


def _needed(table):
    """The global names that a cell, or a function in it, reads."""
    found = {
        s.get_name()
        for s in table.get_symbols()
        if s.is_referenced() and (s.is_global() or table.get_type() == "module")
    }
    return found.union(*map(_needed, table.get_children()))
