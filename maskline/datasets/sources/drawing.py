"""Pictures of overlapping, textured shapes, drawn from an integer key with the same bytes on every machine.

Pixels are computed element by element with operations that IEEE 754 defines exactly (+ - * / sqrt, comparisons,
rounding), and random bits are taken from Philox's raw stream, so that no library version or instruction set changes a
picture.
"""

import math

import numpy as np

SIZE = 128  # pixels on a side
CLASSES = ("background", "circle", "square", "triangle", "star", "ring", "cross")
FREQUENCIES = (16, 13, 11, 10, 10, 7)  # how often each shape is drawn; circles cover five times the area of crosses
RADII = ((9, 25), (9, 25), (10, 26), (10, 26), (10, 25), (9, 18))  # pixels

HUES = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)  # sixths of the color circle: red, yellow, green, cyan, blue, magenta
SCENE = (0.05, 0.25)  # saturation of a background
CLUTTER = (0.10, 0.50)  # of a distractor
PAINT = (0.55, 0.95)  # of a shape

# These set how hard the task is.
OBJECTS = (6, 12)  # shapes tried in a picture
DISTRACTORS = (3, 8)  # lines, bars and blotches, which are background
HUE_SPREAD = 0.35  # largest distance of a shape's hue from its class's, in sixths; distractors have any hue
CONTRAST = (0.70, 1.00)  # distance of a shape's colors from the scene's, as a share of a random color's
VISIBLE = 0.4  # share of a shape that must stay visible under later ones
NOISE = (4.0, 14.0)  # amplitude of the pixel noise, in steps of 255
BLUR = (0.0, 1.0)  # weight of a 3 x 3 binomial blur

VOID = 255

_Y, _X = np.mgrid[0:SIZE, 0:SIZE] + 0.5
# Normals of a pentagram's five lines (multiples of 72 degrees) and a triangle's three sides, to nine places.
_PENTAGRAM = (
    (0.0, 1.0),
    (-0.951056516, 0.309016994),
    (-0.587785252, -0.809016994),
    (0.587785252, -0.809016994),
    (0.951056516, 0.309016994),
)
_TRIANGLE = ((0.0, 1.0), (-0.866025404, -0.5), (0.866025404, -0.5))


def draw(stream: int, index: int) -> tuple[np.ndarray, np.ndarray]:
    """Return picture `index` of a stream: RGB uint8 [128, 128, 3] and labels uint8 [128, 128].

    Labels are indices of CLASSES; 255 is void: the pixels on either side of every visible outline.
    """
    bits = np.random.Philox(key=np.array([stream, index], np.uint64))
    scene = _color(bits, _uniform(bits, 0, 6), SCENE)
    image = _paint(bits, scene, _color_near(bits, scene))
    for _ in range(_integer(bits, *DISTRACTORS)):
        image = _over(image, _distractor(bits), _fill(bits, scene, _uniform(bits, 0, 6), CLUTTER))
    image, owners, kinds = _add_shapes(bits, image, scene)
    return _camera(bits, image), _labels(owners, kinds)


def _add_shapes(bits: np.random.Philox, image: np.ndarray, scene: np.ndarray) -> tuple[np.ndarray, np.ndarray, list]:
    """Paint shapes over each other, and return the picture, each pixel's owner (0: none) and each owner's class."""
    owners = np.zeros((SIZE, SIZE), np.int64)
    kinds, areas = [0], [0]
    for _ in range(_integer(bits, *OBJECTS)):
        kind = _kind(bits)
        radius = _uniform(bits, *RADII[kind])
        u, v = _frame(bits, radius)
        distance = _distance(kind, u, v) * radius
        inside = distance < 0
        seen = np.bincount(owners[~inside], minlength=len(areas))
        if any(seen[i] < VISIBLE * areas[i] for i in range(1, len(areas))):
            continue
        kinds.append(kind + 1)
        areas.append(int(np.count_nonzero(inside)))
        owners[inside] = len(areas) - 1
        hue = HUES[kind] + _uniform(bits, -HUE_SPREAD, HUE_SPREAD)
        fill = _fill(bits, scene, hue, PAINT) * _shading(bits, u, v)
        image = _over(_shadow(bits, image, distance), distance, fill)
    return image, owners, kinds


def _labels(owners: np.ndarray, kinds: list) -> np.ndarray:
    labels = np.array(kinds, np.uint8)[owners]
    across = owners[:, 1:] != owners[:, :-1]
    down = owners[1:] != owners[:-1]
    labels[:, 1:][across] = labels[:, :-1][across] = VOID
    labels[1:][down] = labels[:-1][down] = VOID
    return labels


def _distance(kind: int, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return each point's signed distance (above 0: outside) from the shape that fits into a circle of radius 1."""
    match CLASSES[kind + 1]:
        case "circle":
            return np.sqrt(u * u + v * v) - 0.95
        case "square":
            return np.maximum(abs(u), abs(v)) - 0.8
        case "triangle":
            return _planes(u, v, _TRIANGLE).max(axis=0) - 0.55
        case "star":
            return np.sort(_planes(u, v, _PENTAGRAM), axis=0)[-2] - 0.38
        case "ring":
            return abs(np.sqrt(u * u + v * v) - 0.72) - 0.26
        case _:
            u, v = abs(u), abs(v)
            return np.minimum(np.maximum(u - 1.0, v - 0.33), np.maximum(u - 0.33, v - 1.0))


def _planes(u: np.ndarray, v: np.ndarray, normals: tuple[tuple[float, float], ...]) -> np.ndarray:
    return np.stack([u * x + v * y for x, y in normals])


def _frame(bits: np.random.Philox, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Return each pixel's coordinates in a randomly placed and turned frame whose unit is `radius`."""
    x, y = _uniform(bits, 6, SIZE - 6), _uniform(bits, 6, SIZE - 6)
    c, s = _direction(bits)
    dx, dy = (_X - x) / radius, (_Y - y) / radius
    return dx * c + dy * s, dy * c - dx * s


def _direction(bits: np.random.Philox) -> tuple[float, float]:
    """Return a unit vector from the rational points of the circle."""
    t = _integer(bits, -256, 256) / 256
    c, s = (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)
    return (c, s) if _integer(bits, 0, 1) else (-c, -s)


def _fill(bits: np.random.Philox, scene: np.ndarray, hue: float, saturations: tuple[float, float]) -> np.ndarray:
    first = scene + (_color(bits, hue, saturations) - scene) * _uniform(bits, *CONTRAST)
    return _paint(bits, first, _color_near(bits, first))


def _paint(bits: np.random.Philox, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return a texture [3, H, W] between two colors."""
    first, second = first[:, None, None], second[:, None, None]
    return first + (second - first) * _texture(bits)


def _texture(bits: np.random.Philox) -> np.ndarray:
    """Return a field [H, W] from 0 to 1: fine noise under one of six patterns."""
    c, s = _direction(bits)
    along, across = _X * c + _Y * s, _Y * c - _X * s
    period = _uniform(bits, 5, 16)
    match _integer(bits, 0, 5):
        case 0:  # stripes
            pattern = _wave(along / period)
        case 1:  # checks
            pattern = abs(_step(along / period) - _step(across / period))
        case 2:  # gradient
            pattern = np.clip(0.5 + along / SIZE - _uniform(bits, -0.5, 0.9), 0, 1)
        case 3:  # dots
            du, dv = _saw(along / period) - 0.5, _saw(across / period) - 0.5
            pattern = np.clip((0.33 - np.sqrt(du * du + dv * dv)) * period * 0.8 + 0.5, 0, 1)
        case 4:  # speckle
            pattern = _smooth_noise(bits, 2)
        case _:  # clouds
            pattern = _smooth_noise(bits, 24) * 0.65 + _smooth_noise(bits, 9) * 0.35
    grain = _smooth_noise(bits, _integer(bits, 3, 12))
    share = _uniform(bits, 0.15, 0.5)
    return pattern * (1 - share) + grain * share


def _saw(x: np.ndarray) -> np.ndarray:
    return x - np.floor(x)


def _wave(x: np.ndarray) -> np.ndarray:
    return np.clip(abs(_saw(x) - 0.5) * 6 - 1, 0, 1)


def _step(x: np.ndarray) -> np.ndarray:
    return np.floor(_saw(x) * 2)


def _smooth_noise(bits: np.random.Philox, cell: int) -> np.ndarray:
    """Return value noise [H, W] from 0 to 1 on a lattice of `cell` pixels, at a random offset."""
    knots = SIZE // cell + 3
    lattice = _uniforms(bits, knots * knots).reshape(knots, knots)
    place = (np.arange(SIZE) + _integer(bits, 0, cell - 1)) / cell
    low = np.floor(place).astype(np.int64)
    t = place - low
    t = t * t * (3 - 2 * t)
    rows = lattice[low] + (lattice[low + 1] - lattice[low]) * t[:, None]
    return rows[:, low] + (rows[:, low + 1] - rows[:, low]) * t


def _distractor(bits: np.random.Philox) -> np.ndarray:
    """Return the distance, in pixels, to a distractor: a scribble, a long bar or a ragged blotch."""
    match _integer(bits, 0, 3):
        case 0:
            u, v = _frame(bits, 1)
            return np.maximum(abs(u) - _uniform(bits, 25, 90), abs(v) - _uniform(bits, 2, 6))
        case 1:
            u, v = _frame(bits, _uniform(bits, 18, 40))
            ragged = _smooth_noise(bits, 14) * 1.3
            return (np.sqrt(u * u + v * v * 2) + ragged - 1.25) * 16
        case _:
            return _scribble(bits)


def _scribble(bits: np.random.Philox) -> np.ndarray:
    x, y = _uniform(bits, 0, SIZE), _uniform(bits, 0, SIZE)
    distance = np.full((SIZE, SIZE), np.inf)
    for _ in range(_integer(bits, 2, 5)):
        c, s = _direction(bits)
        length = _uniform(bits, 15, 45)
        along = np.clip((_X - x) * c + (_Y - y) * s, 0, length)
        dx, dy = _X - x - along * c, _Y - y - along * s
        distance = np.minimum(distance, np.sqrt(dx * dx + dy * dy))
        x, y = x + length * c, y + length * s
    return distance - _uniform(bits, 0.7, 2.2)


def _over(image: np.ndarray, distance: np.ndarray, fill: np.ndarray) -> np.ndarray:
    """Paint a fill over the picture where `distance` is negative, with an antialiased edge."""
    return image + (fill - image) * np.clip(0.5 - distance, 0, 1)


def _shadow(bits: np.random.Philox, image: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Darken the picture softly below and to the right of a shape, as if the shape floated above it."""
    drop = _integer(bits, 1, 3)
    moved = np.full_like(distance, np.inf)
    moved[drop:, drop:] = distance[:-drop, :-drop]
    return image * (1 - np.clip(0.6 - moved * 0.2, 0, 1) * _uniform(bits, 0.0, 0.45))


def _shading(bits: np.random.Philox, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    c, s = _direction(bits)
    return 1 + np.clip(u * c + v * s, -1, 1) * _uniform(bits, 0.0, 0.3)


def _camera(bits: np.random.Philox, image: np.ndarray) -> np.ndarray:
    """Light the scene unevenly, blur it slightly, add noise, and round to uint8."""
    image = image * (0.8 + 0.4 * _smooth_noise(bits, 64))
    image = image + (_binomial(image) - image) * _uniform(bits, *BLUR)
    noise = sum(_uniforms(bits, image.size).reshape(image.shape) for _ in range(3)) - 1.5
    image = image * 255 + noise * _uniform(bits, *NOISE)
    return np.floor(np.clip(image, 0, 255) + 0.5).astype(np.uint8).transpose(1, 2, 0)


def _binomial(image: np.ndarray) -> np.ndarray:
    for axis in (1, 2):
        padded = np.pad(image, [(1, 1) if i == axis else (0, 0) for i in range(3)], mode="edge")
        before, after = np.take(padded, range(SIZE), axis), np.take(padded, range(2, SIZE + 2), axis)
        image = (before + image * 2 + after) / 4
    return image


def _color(bits: np.random.Philox, hue: float, saturations: tuple[float, float]) -> np.ndarray:
    """Return an RGB color [3] in 0..1 with this hue, in sixths of the circle, and random saturation and value."""
    hue -= 6 * math.floor(hue / 6)
    saturation, value = _uniform(bits, *saturations), _uniform(bits, 0.4, 0.95)
    ramps = [abs(hue - 3) - 1, 2 - abs(hue - 2), 2 - abs(hue - 4)]
    return np.array([value * (1 - saturation * (1 - min(max(ramp, 0), 1))) for ramp in ramps])


def _color_near(bits: np.random.Philox, color: np.ndarray) -> np.ndarray:
    """Return a second color for a texture: lighter or darker, and closer to gray."""
    gray = (color[0] + color[1] + color[2]) / 3
    return np.clip((color + (gray - color) * _uniform(bits, 0.0, 0.5)) * _uniform(bits, 0.6, 1.4), 0, 1)


def _kind(bits: np.random.Philox) -> int:
    pick = _integer(bits, 1, sum(FREQUENCIES))
    return next(i for i in range(len(FREQUENCIES)) if pick <= sum(FREQUENCIES[: i + 1]))


def _uniforms(bits: np.random.Philox, count: int) -> np.ndarray:
    """Return `count` multiples of 2**-53 in [0, 1)."""
    return (bits.random_raw(count) >> np.uint64(11)) * 2.0**-53


def _uniform(bits: np.random.Philox, low: float, high: float) -> float:
    return low + (high - low) * ((bits.random_raw() >> 11) * 2.0**-53)


def _integer(bits: np.random.Philox, low: int, high: int) -> int:
    """Return an integer from low to high, both included."""
    return low + math.floor((high - low + 1) * ((bits.random_raw() >> 11) * 2.0**-53))
