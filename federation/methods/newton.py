"""Newton's method as a state that travels in a step: JSON in, JSON out, no choice left open.

Hub and sites run the same lines on the same pooled sums, so nobody chooses a coefficient. The
start is 0 always (disclosure.md section 4.6).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from federation.query.refusals import Refused

Floats = npt.NDArray[np.float64]

MOST_ROUNDS = 40  # a legitimate fit needs 4 to 12
TOLERANCE = 1e-9  # on the largest change of a coefficient, columns scaled to unit spread
_LONGEST_STEP = 5.0  # a longer first step is an overshoot: columns have spread 1
_MOST_HALVINGS = 20
_FLAT = 1e-7  # information this much smaller than at the start: the likelihood runs off
_SINGULAR = 1e-10  # smallest eigenvalue of the information scaled to unit diagonal


@dataclass(frozen=True)
class Newton:
    """Where the fit stands. `beta` is the point to be evaluated next.

    `base` and `step` are the last accepted point and the change tried from it; `loglik` belongs
    to `base`; `start_information` is the diagonal at 0; `largest` the last largest change.
    `near`: the next round is expected to be the last.
    """

    beta: tuple[float, ...]
    base: tuple[float, ...] = ()
    step: tuple[float, ...] = ()
    loglik: float | None = None
    loglik_null: float | None = None
    start_information: tuple[float, ...] = ()
    largest: float | None = None
    halvings: int = 0
    rounds: int = 0
    done: bool = False
    near: bool = False

    @classmethod
    def start(cls, p: int) -> Newton:
        """The state before the first round for `p` coefficients."""
        return cls(beta=(0.0,) * p)

    @classmethod
    def from_json(cls, obj: dict[str, Any]) -> Newton:
        """The state that `to_json` wrote."""
        fields: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in obj.items()
        }
        return cls(**fields)

    def to_json(self) -> dict[str, Any]:
        """Plain lists and numbers."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    def worse(self, loglik: float) -> bool:
        """Whether `loglik` at `beta` is too low to accept the step (beyond rounding)."""
        if not np.isfinite(loglik):
            return True
        return self.loglik is not None and loglik < self.loglik - 1e-10 * max(1.0, abs(self.loglik))

    def halve(self, most_rounds: int) -> Newton:
        """Half the step from the last accepted point; Refused MODEL_UNSTABLE when that fails."""
        if self.loglik is None or self.halvings >= _MOST_HALVINGS or self.rounds + 1 >= most_rounds:
            raise Refused("MODEL_UNSTABLE")
        step = tuple(change / 2 for change in self.step)
        beta = tuple(b + change for b, change in zip(self.base, step, strict=True))
        return replace(
            self,
            beta=beta,
            step=step,
            halvings=self.halvings + 1,
            rounds=self.rounds + 1,
            near=False,
        )

    def accept(
        self,
        loglik: float,
        score: Floats,
        information: Floats,
        names: tuple[str, ...],
        most: int,
        least: float = 0.0,
    ) -> Newton:
        """Take `beta` as the new base and the Newton step from it; done when the step is tiny.

        Once done, `beta` holds the last full step. Refused MODEL_TOO_RICH names terms that the
        first round shows to be constant or collinear; MODEL_UNSTABLE when the likelihood has no
        maximum, `most` rounds pass, or a column keeps less than a share `least` of the
        information it had at the start (rule O9).
        """
        if not (np.isfinite(score).all() and np.isfinite(information).all()):
            raise Refused("MODEL_UNSTABLE")
        first = self.loglik is None
        scale = _scale(information)
        if first:
            check_rank(information, scale, names)
        start = tuple(np.diag(information).tolist()) if first else self.start_information
        if np.any(np.diag(information) <= max(_FLAT, least) * np.asarray(start)):
            raise Refused("MODEL_UNSTABLE")
        scaled = information / np.outer(scale, scale)
        if np.linalg.eigvalsh(scaled)[0] <= _SINGULAR:
            raise Refused("MODEL_UNSTABLE")
        change = np.linalg.solve(scaled, score / scale) / scale
        largest = float(np.max(np.abs(change)))
        if not np.isfinite(largest):
            raise Refused("MODEL_UNSTABLE")
        # Rounding in an ill-conditioned model can stop the change from falling below TOLERANCE.
        stalled = self.largest is not None and self.largest < 1e-6 and largest > self.largest / 10
        done = largest < TOLERANCE or (stalled and largest < 1e-6)
        if not done and self.rounds + 1 >= most:
            raise Refused("MODEL_UNSTABLE")
        if largest > _LONGEST_STEP:
            change = change * (_LONGEST_STEP / largest)
        return Newton(
            beta=tuple((np.asarray(self.beta) + change).tolist()),
            base=self.beta,
            step=tuple(change.tolist()),
            loglik=loglik,
            loglik_null=loglik if first else self.loglik_null,
            start_information=start,
            largest=largest,
            halvings=0,
            rounds=self.rounds + 1,
            done=done,
            near=self._expects_last(largest),
        )

    def _expects_last(self, largest: float) -> bool:
        """Whether the change after this one will be below TOLERANCE, if changes go on falling
        quadratically, c -> C c^2: C follows from the last two. A wrong guess costs a round."""
        if self.largest is None or self.halvings or largest >= self.largest:
            return False
        return largest * (largest / self.largest) ** 2 < TOLERANCE / 10


def _scale(information: Floats) -> Floats:
    """Square root of the diagonal, 1 where it is not positive."""
    diagonal = np.diag(information)
    return np.sqrt(np.where(diagonal > 0, diagonal, 1.0))


def check_rank(information: Floats, scale: Floats, names: tuple[str, ...]) -> None:
    """Refused MODEL_TOO_RICH naming the columns without information of their own.

    Columns are scaled to unit spread, so a diagonal that is almost 0 means no variation where
    it counts (for example within every stratum).
    """
    diagonal = np.diag(information)
    top = float(np.max(diagonal))
    flat = diagonal <= 1e-10 * top if top > 0 else np.ones(diagonal.size, dtype=bool)
    if flat.any():
        raise Refused("MODEL_TOO_RICH", tuple(n for n, f in zip(names, flat, strict=True) if f))
    values, vectors = np.linalg.eigh(information / np.outer(scale, scale))
    if values[0] <= _SINGULAR:
        weak = np.abs(vectors[:, values <= _SINGULAR]).max(axis=1) > 1e-4
        raise Refused("MODEL_TOO_RICH", tuple(n for n, w in zip(names, weak, strict=True) if w))


def inverse(information: Floats) -> Floats:
    """Inverse of a positive definite matrix, through the scaled one for accuracy."""
    scale = _scale(information)
    outer = np.outer(scale, scale)
    return np.asarray(np.linalg.inv(information / outer) / outer)
