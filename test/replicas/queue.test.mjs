/** Which row is blamed for the replicas that are lost, and which is not. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RowQueue } from '../../dist/replicas/queue.js'

const job = (name) => ({ row: { path: name }, losses: [] })
const jobs = (count, name = 'row') => Array.from({ length: count }, (_, i) => job(`${name} ${i}`))
const namesOf = (taken) => taken.map(({ row }) => row.path)

/** All rows that wait in company, in order. */
function takeAll(queue, replica = 0) {
  const taken = []
  for (let next = queue.takeShared(replica, true); next; next = queue.takeShared(replica, true)) taken.push(next)
  return taken
}

test('rows of a lost replica go first, in their order', () => {
  const queue = new RowQueue()
  const under = jobs(3, 'lost')
  for (const each of jobs(2, 'waiting')) queue.add(each)
  assert.equal(queue.lose(under), undefined)
  assert.deepEqual(namesOf(takeAll(queue)), ['lost 0', 'lost 1', 'lost 2', 'waiting 0', 'waiting 1'])
})

test('the row that ends every replica is found among its company, which is cleared', () => {
  const queue = new RowQueue()
  const company = jobs(5)
  const deadly = job('deadly')
  let losses = 0
  const lose = (rows) => {
    losses++
    return queue.lose(rows)
  }
  assert.equal(lose([...company, deadly]), undefined)
  assert.equal(lose(takeAll(queue)), undefined)
  assert.deepEqual(takeAll(queue), [], 'each goes on alone')
  let guilty
  for (let next = queue.takeAlone(); next; next = queue.takeAlone()) {
    if (next === deadly) guilty = lose([next]) ?? guilty
    else queue.settle(next)
  }
  assert.equal(guilty, deadly)
  assert.equal(losses, 5)
})

test('several such rows are found, each by three losses of its own', () => {
  const queue = new RowQueue()
  const deadly = jobs(4, 'deadly')
  for (let i = 0; i < 2; i++) queue.lose(i === 0 ? [...jobs(6), ...deadly] : takeAll(queue))
  const guilty = new Map()
  let losses = 0
  for (let next = queue.takeAlone(); next; next = queue.takeAlone()) {
    if (!deadly.includes(next)) queue.settle(next)
    else {
      losses++
      const found = queue.lose([next])
      if (found) guilty.set(found, losses)
    }
  }
  assert.equal(guilty.size, 4)
  assert.equal(losses, 12)
})

test('where replicas end for no row, more is asked before one is blamed, and never without end', () => {
  for (const unexplained of [0, 1, 2, 3, 50]) {
    const queue = new RowQueue()
    for (let i = 0; i < unexplained; i++) {
      // Half of them idle, half with rows that are captioned afterwards.
      const under = i % 2 === 0 ? [] : jobs(3)
      queue.lose(under)
      for (const each of takeAll(queue)) queue.settle(each)
    }
    const suspect = job('suspect')
    let losses = 0
    while (queue.lose([suspect]) === undefined) {
      losses++
      const next = queue.takeAlone() ?? queue.takeShared(0, true)
      assert.equal(next, suspect)
    }
    assert.equal(losses + 1, Math.min(6, 3 + unexplained))
  }
})

test('a row that a replica failed goes to another one, where there is another', () => {
  const queue = new RowQueue()
  const failed = { ...job('failed'), failedIn: 1 }
  queue.putBack([failed])
  queue.add(job('other'))
  assert.equal(queue.takeShared(1, false).row.path, 'other')
  assert.equal(queue.takeShared(1, false), undefined)
  assert.equal(queue.takeShared(0, false), failed)
  queue.putBack([failed])
  assert.equal(queue.takeShared(1, true), failed)
})

test('a row that is given up waits no more', () => {
  const queue = new RowQueue()
  const [first, second] = jobs(2)
  queue.add(first)
  queue.add(second)
  queue.remove(first)
  assert.deepEqual(queue.clear(), [second])
  assert.deepEqual(queue.clear(), [])
})
