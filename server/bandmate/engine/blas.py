# SPDX-License-Identifier: GPL-3.0-or-later
"""A fast matrix product for MLX on Linux.

MLX's Linux wheels call the reference BLAS, an order of magnitude too slow to be live. The dynamic
linker takes the first `cblas_sgemm` it finds among global symbols, so a library opened before MLX
takes its place: our own (`server/native/blas`), which multiplies few rows itself and hands the rest
to an optimised BLAS. macOS has Accelerate and needs nothing.

`activate()` must run before the first `import mlx.core` of the process.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path

FRONT_NAME = "_blas.so"
# Names by which systems know BLAS libraries whose large products are fast, best first.
_SYSTEM_NAMES = ("libopenblas.so.0", "libmkl_rt.so.2", "libmkl_rt.so.3", "libblis.so.4")


@dataclass(frozen=True)
class BlasStatus:
    """Which library multiplies matrices.

    Attributes:
        name: for people, e.g. "OpenBLAS 0.3.30 (SkylakeX), few rows by Bandmate (AVX-512)".
        fast: whether it is fast enough to be live.
        hint: what to do if it is not.
    """

    name: str
    fast: bool
    hint: str = ""


@dataclass(frozen=True)
class _Library:
    """An optimised BLAS that was found: its sgemm and how many bits its integers have."""

    handle: ctypes.CDLL
    name: str
    symbol: str
    integer_bits: int


_status: BlasStatus | None = None
_library: _Library | None = None


def activate() -> BlasStatus:
    """Puts a fast BLAS under MLX; does it once per process and tells what is active."""
    global _status
    if _status is None:
        _status = _activate()
    return _status


def set_large_product_threads(count: int) -> None:
    """How many threads the optimised BLAS may use; our own few-row products have theirs.

    A model of small products is best off with one: threads that meet after every few microseconds
    mostly wait for each other, and on a busy machine for the scheduler. Measured with `pico` on two
    busy cores: median frame 44 ms with one thread, 190 to 220 ms with two.
    """
    if _library is None or os.environ.get("OPENBLAS_NUM_THREADS"):
        return  # none was found, or the user has decided
    prefix, suffix = ("scipy_", "64_") if _library.integer_bits == 64 else ("", "")
    try:
        set_threads = getattr(_library.handle, f"{prefix}openblas_set_num_threads{suffix}")
    except AttributeError:
        return  # not an OpenBLAS
    set_threads.argtypes = [ctypes.c_int]
    set_threads.restype = None
    set_threads(count)


def _activate() -> BlasStatus:
    global _library
    if sys.platform == "darwin":
        return BlasStatus("Accelerate", fast=True)
    if not sys.platform.startswith("linux"):
        return BlasStatus("MLX's own", fast=True)
    if "mlx.core" in sys.modules:
        return BlasStatus(
            "reference BLAS",
            fast=False,
            hint="MLX was imported before bandmate.engine.blas.activate() was called.",
        )
    front = _find_front()
    library = _bundled_with_numpy() or _system_library(all_symbols=front is None)
    _library = library
    if front is None:
        if library is None or library.symbol != "cblas_sgemm":
            hint = "Install OpenBLAS (Debian: libopenblas0-pthread) or reinstall Bandmate."
            return BlasStatus("reference BLAS", fast=False, hint=hint)
        return BlasStatus(library.name, fast=True, hint="Reinstall Bandmate: its own is missing.")
    handle = ctypes.CDLL(str(front), mode=ctypes.RTLD_GLOBAL)
    _set_threads(handle)
    handle.bandmate_blas_instruction_set.restype = ctypes.c_char_p
    own = handle.bandmate_blas_instruction_set().decode()
    if library is None:
        hint = "Install OpenBLAS (Debian: libopenblas0-pthread)."
        return BlasStatus(f"Bandmate's own ({own})", fast=True, hint=hint)
    handle.bandmate_blas_forward.argtypes = [ctypes.c_void_p, ctypes.c_int]
    address = ctypes.cast(getattr(library.handle, library.symbol), ctypes.c_void_p)
    handle.bandmate_blas_forward(address, library.integer_bits)
    _use_one_thread(library)
    return BlasStatus(f"{library.name}, few rows by Bandmate ({own})", fast=True)


def _find_front() -> Path | None:
    """Our library, beside the other native modules of the package."""
    spec = importlib.util.find_spec("bandmate._blas")
    folders = [Path(folder) for folder in importlib.import_module("bandmate").__path__]
    candidates = [Path(spec.origin)] if spec is not None and spec.origin else []
    candidates += [folder / FRONT_NAME for folder in folders]
    return next((path for path in candidates if path.is_file()), None)


def _set_threads(front: ctypes.CDLL) -> None:
    """As many threads as this process may run on; more only wait for each other."""
    threads = len(os.sched_getaffinity(0))
    if named := os.environ.get("BANDMATE_THREADS"):
        threads = int(named) if named.isdigit() and int(named) > 0 else threads
    front.bandmate_blas_set_threads(threads)


def _use_one_thread(library: _Library) -> None:
    """Tells the other library to leave threads to us, which share its products ourselves."""
    for name in (
        "scipy_openblas_set_num_threads64_",
        "openblas_set_num_threads",
        "MKL_Set_Num_Threads",
        "bli_thread_set_num_threads",
    ):
        setter = getattr(library.handle, name, None)
        if setter is not None:
            setter(ctypes.c_int64(1) if name.startswith("bli") else ctypes.c_int(1))
            return


def _bundled_with_numpy() -> _Library | None:
    """The OpenBLAS inside numpy's wheel: recent, and always there with it."""
    spec = importlib.util.find_spec("numpy")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent.parent / "numpy.libs"
    for path in sorted(folder.glob("libscipy_openblas64_*.so")):
        try:
            handle = ctypes.CDLL(str(path))
            name = _openblas_name(handle, "scipy_", "64_")
            _ = handle.scipy_cblas_sgemm64_
        except (OSError, AttributeError):
            continue
        return _Library(handle, name, "scipy_cblas_sgemm64_", 64)
    return None


def _system_library(all_symbols: bool) -> _Library | None:
    """An optimised BLAS of the system or of this environment.

    Args:
        all_symbols: open it so that MLX finds it by itself.
    """
    mode = ctypes.RTLD_GLOBAL if all_symbols else ctypes.RTLD_LOCAL
    folders = ["", f"{sys.prefix}/lib/"]
    for name in (folder + name for name in _SYSTEM_NAMES for folder in folders):
        try:
            handle = ctypes.CDLL(name, mode=mode)
            _ = handle.cblas_sgemm
        except (OSError, AttributeError):
            continue
        try:
            shown = _openblas_name(handle, "", "")
        except AttributeError:
            shown = "MKL" if "mkl" in name else "BLIS"
        return _Library(handle, shown, "cblas_sgemm", 32)
    return None


def _openblas_name(handle: ctypes.CDLL, prefix: str, suffix: str) -> str:
    """Version and the processor kernels in use, e.g. "OpenBLAS 0.3.21 (Zen)"."""
    config = getattr(handle, f"{prefix}openblas_get_config{suffix}")
    core = getattr(handle, f"{prefix}openblas_get_corename{suffix}")
    config.restype = core.restype = ctypes.c_char_p
    version = config().decode().split()[1]
    return f"OpenBLAS {version} ({core().decode()})"
