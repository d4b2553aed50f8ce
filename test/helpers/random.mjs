/** Numbers by their seed (mulberry32): `random()` in [0, 1), and what is made of it. */
export function randomOf(seed) {
  let state = seed | 0
  const random = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  /** An integer from 0 to below `n`. */
  random.below = (n) => Math.floor(random() * n)
  random.pick = (list) => list[random.below(list.length)]
  random.chance = (share) => random() < share
  random.shuffle = (list) => {
    for (let i = list.length - 1; i > 0; i--) {
      const j = random.below(i + 1)
      ;[list[i], list[j]] = [list[j], list[i]]
    }
    return list
  }
  return random
}
