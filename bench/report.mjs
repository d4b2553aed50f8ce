/** Prints measured cells as a table: each peer's median, and how many times as fast ours is. */
import Table from 'cli-table3'
import { median } from './rounds.mjs'

export function report(cells) {
  const table = new Table({
    head: ['model', 'workload', 'peer', 'prompt tokens', 'videos/s', 'spread', 'ours / peer'],
    colAligns: ['left', 'left', 'left', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [] }
  })
  for (const { model, name, batch, peers } of cells) {
    const rates = peers.map(({ seconds }) => seconds.map((each) => batch / each))
    const ours = rates[0]
    for (const [place, peer] of peers.entries()) {
      const head = [model, name, peer.name]
      if (peer.skipped) {
        table.push([...head, { colSpan: 4, content: peer.skipped }])
        continue
      }
      table.push([
        ...head,
        peer.promptTokens,
        median(rates[place]).toPrecision(3),
        spread(rates[place]),
        place === 0 || ours.length === 0 ? '' : (median(ours) / median(rates[place])).toFixed(2)
      ])
    }
  }
  return table.toString()
}

/** The largest of the numbers over the smallest, and how many there are, to show how unsteady the machine was. */
function spread(numbers) {
  return `${(Math.max(...numbers) / Math.min(...numbers)).toFixed(2)} of ${numbers.length}`
}
