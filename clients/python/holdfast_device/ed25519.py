"""Ed25519 as RFC 8032, section 5.1, describes it, with Python's integers.

For a device that signs once a batch: some milliseconds for a signature. It does not hide what it
computes from somebody who measures its time; whoever can do that on a device can read its key.
"""

import hashlib

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)

# A point is (X, Y, Z, T): x = X/Z, y = Y/Z, x*y = T/Z.
NEUTRAL = (0, 1, 1, 0)


def _hash(data):
    return hashlib.sha512(data).digest()


def _add(p, q):
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c = 2 * p[3] * q[3] * D % P
    d = 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def _multiply(scalar, point):
    result = NEUTRAL
    while scalar:
        if scalar & 1:
            result = _add(result, point)
        point = _add(point, point)
        scalar >>= 1
    return result


def _equal(p, q):
    return (p[0] * q[2] - q[0] * p[2]) % P == 0 and (p[1] * q[2] - q[1] * p[2]) % P == 0


def _x_of(y, sign):
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if square == 0:
        return None if sign else 0
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if (x * x - square) % P:
        return None
    return P - x if (x & 1) != sign else x


_BASE_Y = 4 * pow(5, P - 2, P) % P
_BASE_X = _x_of(_BASE_Y, 0)
BASE = (_BASE_X, _BASE_Y, 1, _BASE_X * _BASE_Y % P)


def _powers():
    powers, point = [], BASE
    for _ in range(256):
        powers.append(point)
        point = _add(point, point)
    return powers


_BASE_POWERS = _powers()


def _multiply_base(scalar):
    result = NEUTRAL
    for bit in range(scalar.bit_length()):
        if scalar >> bit & 1:
            result = _add(result, _BASE_POWERS[bit])
    return result


def _encode(point):
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _decode(data):
    number = int.from_bytes(data, "little")
    y, sign = number & (2**255 - 1), number >> 255
    x = _x_of(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


def _expand(seed):
    if len(seed) != 32:
        raise ValueError("a seed has 32 bytes, not %d" % len(seed))
    digest = _hash(seed)
    scalar = int.from_bytes(digest[:32], "little")
    return scalar & ((1 << 254) - 8) | 1 << 254, digest[32:]


def public_key(seed):
    """The public half of a seed: 32 bytes."""
    return _encode(_multiply_base(_expand(seed)[0]))


def sign(seed, message):
    """The signature of a message: 64 bytes, the same every time."""
    scalar, prefix = _expand(seed)
    public = _encode(_multiply_base(scalar))
    r = int.from_bytes(_hash(prefix + message), "little") % ORDER
    point = _encode(_multiply_base(r))
    k = int.from_bytes(_hash(point + public + message), "little") % ORDER
    return point + ((r + k * scalar) % ORDER).to_bytes(32, "little")


def verify(public, message, signature):
    """Whether a signature is by a key. Keys of small order verify nothing."""
    if len(public) != 32 or len(signature) != 64:
        return False
    key, point = _decode(public), _decode(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if key is None or point is None or s >= ORDER or _equal(_multiply(8, key), NEUTRAL):
        return False
    k = int.from_bytes(_hash(signature[:32] + public + message), "little") % ORDER
    return _equal(_multiply_base(s), _add(point, _multiply(k, key)))
