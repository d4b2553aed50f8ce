/** All sections of the check, in the order they run: what is right first, then how fast. */
import { build, devices } from './machine.mjs'
import { demo, parity } from './right.mjs'
import { captions, rates, split, tower } from './speed.mjs'
import { server } from './server.mjs'

/** `{ name, seconds, run(context) }`: `seconds` is about what it takes on an H100, with what is written beforehand. */
export function sections(short) {
  const models = short ? ['demo'] : ['60m', '300m', '34b-Q4_K', '34b-F16']
  const seconds = { demo: 5, '60m': 15, '300m': 20, '34b-Q4_K': 80, '34b-F16': 120 }
  return [
    { name: 'devices', seconds: 3, run: devices },
    { name: 'build', seconds: 3, run: build },
    { name: 'demo', seconds: 20, run: demo },
    { name: 'parity', seconds: 20, run: parity },
    { name: 'rates', seconds: 15, run: rates },
    {
      name: 'tower',
      seconds: short ? 5 : 20,
      run: (context) => tower({ ...context, model: short ? 'demo' : 'clip-l' })
    },
    ...models.map((model) => ({
      name: `bench ${model}`,
      seconds: seconds[model],
      run: (context) => captions({ ...context, model })
    })),
    { name: 'split', seconds: short ? 10 : 100, run: (context) => split({ ...context, model: models.at(-1) }) },
    { name: 'llama-server', seconds: short ? 10 : 60, run: (context) => server({ ...context, model: models[0] }) }
  ]
}
