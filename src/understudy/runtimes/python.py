# SPDX-License-Identifier: Apache-2.0
"""Loads a pack's ``adapter.py``, so that it can import no file of its folder but the declared ones.

An adapter is code and runs with the rights of the process. What is guarded here is the pin: the bytes that run are the
bytes whose hashes the manifest declares.
"""

import hashlib
import importlib.abc
import importlib.machinery
import importlib.util
import re
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType

from understudy.contracts.errors import PackError, UnderstudyError
from understudy.contracts.model import BatchModel, Call, Graph, Model, Tensors
from understudy.contracts.plate import FloatImage
from understudy.runtimes.load import PackFiles, failure

_NAMESPACE = "understudy._packs"
_lock = threading.RLock()
_uses: Counter[str] = Counter()  # models that load or were loaded from a module, and are not closed
_uses_lock = threading.Lock()  # not the other: closing a model must not wait until another has loaded


class _PinnedLoader(importlib.abc.InspectLoader):
    """Compiles a file whose bytes have the declared hash; writes no cache beside it."""

    def __init__(self, path: Path, sha256: str) -> None:
        self._path = path
        self._sha256 = sha256

    def get_source(self, fullname: str) -> str:  # noqa: ARG002 - the protocol's argument
        """The file's text."""
        return importlib.util.decode_source(self._bytes())

    def _bytes(self) -> bytes:
        data = self._path.read_bytes()
        if hashlib.sha256(data).hexdigest() != self._sha256:
            raise PackError(
                "changed while the pack was loading", where=self._path.as_posix(), fix="load the pack again"
            )
        return data

    def exec_module(self, module: ModuleType) -> None:
        """Runs the file in its module."""
        code = compile(self._bytes(), str(self._path), "exec", dont_inherit=True)
        exec(code, module.__dict__)  # noqa: S102 - this is what loading an adapter means


class _PinnedFinder(importlib.abc.MetaPathFinder):
    """Finds the declared modules of packs below ``understudy._packs``, and no others."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[Path, str]] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The spec of a declared module; an error for an undeclared one that lies in the folder."""
        del path, target
        if not fullname.startswith(f"{_NAMESPACE}."):
            return None
        if fullname not in self.files:
            owner, _, name = fullname.rpartition(".")
            if owner in self.files:
                # not ModuleNotFoundError: `from . import name` would swallow it and say less
                raise ImportError(f"{name}.py is not declared; list it under [[weights]] in pack.toml", name=fullname)
            return None
        file, sha256 = self.files[fullname]
        return importlib.util.spec_from_file_location(
            fullname, file, loader=_PinnedLoader(file, sha256), submodule_search_locations=[]
        )


_finder = _PinnedFinder()


def load_adapter(pack: PackFiles, graph: Graph | Mapping[str, Graph] | None = None) -> Model:
    """The model that a Python pack's ``load(folder)`` returns, or its ``load(folder, graph)`` where it has a graph.

    Several graphs are given as a mapping by their names.

    The adapter is the package ``understudy._packs.<id>_<version>_<digest>``, so that the old bytes of a pack run on
    while new ones load; a declared file ``kernels.py`` beside it is imported with ``from . import kernels``.

    Raises:
        PackError: The adapter does not compile, has no ``load``, or fails; the message names its file and line.
    """
    manifest, folder = pack.manifest, pack.folder
    adapter = folder / manifest.runtime.file
    name = f"{_NAMESPACE}.{re.sub(r'[^0-9a-z]', '_', f'{manifest.id}_{manifest.version}_{pack.digest[:12]}'.lower())}"
    with _uses_lock:
        _uses[name] += 1
    try:
        with _lock:
            _prepare(name, pack)
            # The machinery puts the module in sys.modules before it runs, which dataclasses in it need.
            load = _load_function(importlib.import_module(name), adapter)
            model = _made(load(folder) if graph is None else load(folder, graph), adapter)
            _refuse_strays(name, folder)
    except UnderstudyError:
        _unused(name)
        raise
    except (Exception, SystemExit) as error:  # a pack must not end the process
        _unused(name)
        raise failure(error, folder, f"{manifest.id} does not load") from error
    return _AdapterModel(model, name)


def _made(model: Model, adapter: Path) -> Model:
    """What an adapter's ``load`` returned, once it is seen to be a model."""
    if not callable(getattr(model, "run", None)) or not callable(getattr(model, "close", None)):
        fix = "return an object with run(tensors, call) and close()"
        raise PackError(f"load() returned {type(model).__name__}", where=adapter.as_posix(), fix=fix)
    return model


def _unused(name: str) -> None:
    """Counts a model out; its modules go with the last one."""
    with _uses_lock:
        _uses[name] -= 1
        if not _uses[name]:
            del _uses[name]
            _forget(name)


class _AdapterModel:
    """An adapter's model, whose modules go with the last that was loaded from them."""

    def __init__(self, model: Model, name: str) -> None:
        self._model = model
        self._name = name

    def run(self, tensors: Mapping[str, FloatImage], call: Call, /) -> Tensors:
        """One call."""
        return self._model.run(tensors, call)

    def run_batch(self, batch: Sequence[Mapping[str, FloatImage]], calls: Sequence[Call], /) -> Sequence[Tensors]:
        """Several calls: in one where the adapter's model has ``run_batch``."""
        if isinstance(self._model, BatchModel):
            return self._model.run_batch(batch, calls)
        return [self._model.run(tensors, call) for tensors, call in zip(batch, calls, strict=True)]

    def close(self) -> None:
        """Frees the model and, with the last one, its code."""
        try:
            self._model.close()
        finally:
            _unused(self._name)


def _load_function(module: ModuleType, adapter: Path) -> Callable[..., Model]:
    load = getattr(module, "load", None)
    if not callable(load):
        fix = "define load(folder: Path) that returns a model with run() and close()"
        raise PackError("has no function load", where=adapter.as_posix(), fix=fix)
    return load  # its result is looked at by the caller


def _prepare(name: str, pack: PackFiles) -> None:
    """Registers the declared files of a pack, in place of what was there under its name."""
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
    if _NAMESPACE not in sys.modules:
        root = ModuleType(_NAMESPACE, "The modules of Python packs.")
        root.__path__ = []
        sys.modules[_NAMESPACE] = root
    _forget(name)
    runtime = pack.manifest.runtime
    _finder.files[name] = (pack.folder / runtime.file, runtime.sha256)
    for weight in pack.manifest.weights:
        path = Path(weight.file)
        if path.suffix == ".py" and len(path.parts) == 1:
            _finder.files[f"{name}.{path.stem}"] = (pack.folder / path, weight.sha256)


def _forget(name: str) -> None:
    for loaded in [module for module in list(sys.modules) if module == name or module.startswith(f"{name}.")]:
        module = sys.modules.pop(loaded)
        owner, _, child = loaded.rpartition(".")
        if vars(sys.modules.get(owner, module)).get(child) is module:  # the import hung it there, and it would stay
            delattr(sys.modules[owner], child)
    for known in [module for module in list(_finder.files) if module == name or module.startswith(f"{name}.")]:
        del _finder.files[known]


def _refuse_strays(name: str, folder: Path) -> None:
    """Refuses an adapter that reached a file of its folder by another road, such as ``sys.path``."""
    for loaded, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or loaded == name or loaded.startswith(f"{name}."):
            continue
        if Path(file).is_relative_to(folder) and not loaded.startswith(f"{_NAMESPACE}."):
            fix = f"list it under [[weights]] and write `from . import {loaded}`"
            raise PackError(f'imports "{loaded}" around the pin', where=file, fix=fix)
