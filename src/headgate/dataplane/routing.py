"""Which method answers: a match over the pair of resource and HTTP method (aws-semantics 3.2)."""

from collections.abc import Iterable, Mapping
from typing import Final, Generic, TypeVar

from headgate.model.rest_api import ANY, HTTP_METHODS

M = TypeVar("M")

_NO_PARAMETERS: Final[Mapping[str, str]] = {}


class Routes(Generic[M]):
    """The compiled routes of one deployment. `M` is whatever stands for a method."""

    def __init__(self, methods: Iterable[tuple[str, str, M]]) -> None:
        """`methods` are (resource path template, HTTP method or ANY, the method)."""
        self._literal: dict[tuple[str, str], M] = {}
        self._root: _Node[M] = _Node()
        # ANY last, so that an exact method of the same resource is already there.
        for template, http_method, method in sorted(methods, key=lambda each: each[1] == ANY):
            parts = _split(template)
            self._root.add(parts, http_method, method)
            if "{" not in template:
                path = "/" + "/".join(parts)
                for each in HTTP_METHODS if http_method == ANY else (http_method,):
                    self._literal.setdefault((each, path), method)

    def match(self, http_method: str, path: str) -> tuple[M, Mapping[str, str]] | None:
        """The method that answers and its path parameters, undecoded; None when no resource has the method.

        `path` begins with a slash and is as the client sent it; one trailing slash is ignored.
        """
        # A wholly literal path that has the method wins at every segment, so most requests end here.
        found = self._literal.get((http_method, path))
        if found is not None:
            return found, _NO_PARAMETERS
        parts = path[1:].split("/")
        if parts[-1] == "":
            parts.pop()
        return self._root.find(parts, 0, http_method, ())


class _Node(Generic[M]):
    __slots__ = ("greedy", "literals", "methods", "variable")

    def __init__(self) -> None:
        self.methods: dict[str, M] = {}
        self.literals: dict[str, _Node[M]] = {}
        self.variable: tuple[str, _Node[M]] | None = None
        self.greedy: tuple[str, _Node[M]] | None = None

    def add(self, parts: list[str], http_method: str, method: M) -> None:
        if not parts:
            self.methods[http_method] = method
            return
        part, rest = parts[0], parts[1:]
        if part.startswith("{") and part.endswith("+}"):
            self.greedy = self.greedy or (part[1:-2], _Node())
            self.greedy[1].add(rest, http_method, method)
        elif part.startswith("{"):
            self.variable = self.variable or (part[1:-1], _Node())
            self.variable[1].add(rest, http_method, method)
        else:
            self.literals.setdefault(part, _Node()).add(rest, http_method, method)

    def find(
        self, parts: list[str], at: int, http_method: str, bound: tuple[tuple[str, str], ...]
    ) -> tuple[M, Mapping[str, str]] | None:
        """Search in order of precedence; a branch that lacks the method is left for the next one."""
        if at == len(parts):
            method = self._method(http_method)
            return None if method is None else (method, dict(bound))
        part = parts[at]
        literal = self.literals.get(part)
        if literal is not None and (found := literal.find(parts, at + 1, http_method, bound)) is not None:
            return found
        if self.variable is not None and part:
            name, node = self.variable
            if (found := node.find(parts, at + 1, http_method, (*bound, (name, part)))) is not None:
                return found
        if self.greedy is not None:
            name, node = self.greedy
            method = node._method(http_method)
            if method is not None:
                return method, dict((*bound, (name, "/".join(parts[at:]))))
        return None

    def _method(self, http_method: str) -> M | None:
        method = self.methods.get(http_method)
        if method is None and http_method in HTTP_METHODS:
            return self.methods.get(ANY)
        return method


def _split(template: str) -> list[str]:
    return [part for part in template.split("/") if part]
