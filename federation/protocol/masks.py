"""Pairwise masks: what one site sends says nothing, what all send adds up exactly.

Each pair of sites derives the same stream from its X25519 agreement and the context of the
step; the one whose name sorts first adds it, the other subtracts it (Bonawitz et al. 2017,
without the drop-out recovery: with a missing site nothing can be read and the run starts
again with a fresh context).
"""

from collections.abc import Mapping

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from federation.protocol.errors import ProtocolError
from federation.protocol.fixed import Limbs, add, negate
from federation.protocol.keys import BoxKey

_LABEL = b"oncokring/1/mask\0"


def mask(
    vector: Limbs, own: BoxKey, own_slug: str, roster: Mapping[str, str], context: bytes
) -> Limbs:
    """`vector` plus this site's masks against every other site of the roster.

    `roster` maps every site of the step, this one included, to its X25519 public key;
    `context` must be unique to run, step, question and roster: with the same context the
    difference of two masked vectors is the difference of the plain ones.
    The sum over the whole roster of masked vectors equals the sum of the vectors.
    Raises ProtocolError("ROSTER") when this site is not in the roster with its own key.
    """
    if roster.get(own_slug) != own.public:
        raise ProtocolError("ROSTER")
    masked = vector
    for slug, public in roster.items():
        if slug == own_slug:
            continue
        stream = _stream(own.agree(public), sorted([own_slug, slug]), context, len(vector))
        masked = add(masked, stream if own_slug < slug else negate(stream))
    return masked


def _stream(shared: bytes, pair: list[str], context: bytes, values: int) -> Limbs:
    info = _LABEL + pair[0].encode() + b"\0" + pair[1].encode() + b"\0" + context
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(shared)
    # The key is used for this one stream only, so a constant nonce is safe.
    encryptor = Cipher(ChaCha20(key, bytes(16)), mode=None).encryptor()
    data = encryptor.update(bytes(16 * values))
    return np.frombuffer(data, dtype="<u8").astype(np.uint64).reshape(values, 2)
