/** Whole runs on a simulated disk: whatever happens to them, they come to the end that an undisturbed run has. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { changing, finish, hits, requireEnd, restart, simulate, World } from '../helpers/simulation.mjs'
import { randomOf } from '../helpers/random.mjs'

test('200 runs with all the troubles of a night: npm run simulate has more', async () => {
  const first = Date.now() % 1_000_000_000
  for (let seed = first; seed < first + 200; seed++) await simulate(seed)
})

/** Syncs without which something is lost: a disk that ignores them must be found out. */
const needed = {
  'the records': (_, name) => name.endsWith('rows.log'),
  'the output': (_, name) => name.endsWith('output.tmp'),
  "the output's name, and its journal's": (kind, name) => kind === 'folder' && name === '/simulated',
  "the names in the journal's folder": (kind, name) => kind === 'folder' && name.endsWith('.vcap')
}
for (const [what, forgets] of Object.entries(needed)) {
  test(`the simulation finds that ${what} did not reach the disk`, async () => {
    for (let seed = 1; seed <= 100; seed++) {
      try {
        await simulate(seed, { forgets })
      } catch (error) {
        assert.match(
          error.message,
          /after a power cut|took the output|captioned again|another output|again after|run\.json beside it .* is gone/
        )
        return
      }
    }
    assert.fail('100 runs were as promised')
  })
}

/** Calls that change the disk in one small run, in their order. */
const callsOf = async (first) => {
  const calls = []
  await first.start({ judge: (kind, name) => void (changing.includes(kind) && calls.push(`${kind} ${name}`)) })
  return calls
}
const small = () => {
  const world = new World(randomOf(4))
  world.isFilled = false
  return world
}
/** At the call of this number among those that change the disk. */
const at = (place, verdict) => {
  let count = 0
  return (kind) => (changing.includes(kind) && count++ === place ? verdict : undefined)
}

test('killed, or without power, at every call that changes the disk, once and twice', async () => {
  const { length } = await callsOf(small())
  assert.ok(length > 30, `${length} calls`)
  for (let place = 0; place < length; place++) {
    for (const isOff of [false, true]) {
      const world = small()
      for (let time = 0; time < 2; time++) {
        await world.start({ judge: at(place, 'crash') })
        restart(world, isOff)
        world.requireWhole(`call ${place}`)
      }
      await finish(world)
    }
  }
})

for (const code of ['ENOSPC', 'EDQUOT', 'EIO', 'EROFS']) {
  test(`${code} at every call that it can hit, twice: nothing lost, the message names the file`, async () => {
    const calls = await callsOf(small())
    for (const [place, call] of calls.entries()) {
      if (!hits[code](call.slice(0, call.lastIndexOf(' ')))) continue
      const world = small()
      for (let time = 0; time < 2; time++) {
        // As of a disk that is full: what comes after fails as well, until the process ends.
        const fault = at(place, code)
        let isFull = false
        const judge = (kind, name) => {
          isFull ||= fault(kind, name) === code
          return isFull && hits[code](kind) ? code : undefined
        }
        const { error } = await world.start({ judge })
        if (error) requireEnd(world, error, { kind: 'fault', code })
        if (error) assert.equal(error.exitCode, 75, `${call}: ${error.message}`)
        restart(world, false)
        world.requireWhole(call)
      }
      await finish(world)
    }
  })
}
