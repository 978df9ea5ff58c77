"""The steps after which a run keeps a snapshot: the state of training, to replay the training later."""


def snapshot_steps(n: int, total: int) -> list[int]:
    """The steps of n snapshots of a training of `total` steps, ascending: 0 is the untrained network, the last `total`.

    Between them each step is about the same multiple of the step before. The reason is that a network changes most in
    its first steps: it learns about as much in steps 11 to 20 as in steps 101 to 200. Where the multiples would lie
    less than a step apart, consecutive steps are taken. Where training has fewer than n states, all are taken. A single
    snapshot is the untrained network.
    """
    if n > total:
        return list(range(total + 1))
    if n <= 2:
        return [0, total][:n]
    steps = [0, 1]
    for left in range(n - 2, 1, -1):
        step = steps[-1]
        # The gaps of a geometric sequence grow, so the first one is at most their average. This leaves each later
        # snapshot a step of its own.
        steps.append(max(step + 1, round(step * (total / step) ** (1 / left))))
    return [*steps, total]
