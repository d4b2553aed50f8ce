/** The files of examples/: their own command lines caption shards that merge; their forms are what they have to be. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { main, readRows, root } from '../helpers/cli.mjs'
import { temporaryFolder } from '../helpers/media.mjs'

const script = path.join(root, 'examples', 'slurm-array.sh')
const job = parse(fs.readFileSync(path.join(root, 'examples', 'kubernetes-indexed-job.yaml'), 'utf8'))

/** A folder with a table of files that are not there: rows fail, and shards finish with 3. */
function furnish() {
  const folder = temporaryFolder()
  fs.writeFileSync(
    path.join(folder, 'samples.csv'),
    `path\n${Array.from({ length: 9 }, (_, i) => `${i}.mp4\n`).join('')}`
  )
  const bin = path.join(folder, 'bin')
  fs.mkdirSync(bin)
  const write = (name, text) => fs.writeFileSync(path.join(bin, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
  write('vcap-native', `exec "${process.execPath}" "${main}" "$@"`)
  const call = (command, args, env) =>
    spawnSync(command, args, {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, VCAP: 'vcap-native', PATH: `${bin}:${process.env.PATH}`, ...env }
    })
  return { folder, write, call }
}

test('slurm-array.sh: a shell reads it, each task captions its shard, the merge finds them all', () => {
  assert.equal(spawnSync('bash', ['-n', script]).status, 0)
  const { folder, call } = furnish()
  for (const id of ['0', '1']) {
    // Of an array of which one task is tried again, as for the second: the number of shards stays.
    const env = { SHARDS: '2', SLURM_JOB_ID: '9', SLURM_ARRAY_TASK_ID: id, SLURM_ARRAY_TASK_COUNT: '1' }
    const { status, stderr } = call(
      'bash',
      [script, 'samples.csv', 'captions.csv', '--model', 'demo', '--gpus', 'none'],
      env
    )
    assert.equal(status, 0, stderr)
    assert.match(stderr, new RegExp(`^Shard ${id} of 2 \\(SLURM_ARRAY_TASK_ID\\): `))
  }
  assert.equal(call('vcap-native', ['merge', 'captions.csv']).status, 0)
  assert.equal(readRows(path.join(folder, 'captions.csv')).length, 9)
})

test('slurm-array.sh: submits the array and the merge after it; an unusable table ends the task with 2', () => {
  const { folder, write, call } = furnish()
  write('sbatch', 'printf "%s\\n" "$*" >> submitted; echo "77;cluster"')
  assert.equal(call('bash', [script, 'samples.csv', 'captions.csv'], { SHARDS: '4', SLURM_JOB_ID: '' }).status, 0)
  const [array, merge] = fs.readFileSync(path.join(folder, 'submitted'), 'utf8').trimEnd().split('\n')
  assert.match(array, /^--parsable --array=0-3 .*slurm-array\.sh samples\.csv captions\.csv$/)
  assert.match(merge, /--dependency=afterok:77 .*--wrap vcap-native merge captions\.csv$/)
  const env = { SHARDS: '2', SLURM_JOB_ID: '9', SLURM_ARRAY_TASK_ID: '0' }
  assert.equal(call('bash', [script, 'gone.csv', 'captions.csv', '--model', 'demo'], env).status, 2)
})

test('kubernetes-indexed-job.yaml: an Indexed Job whose shards are its completions', () => {
  const { spec } = job
  assert.deepEqual([job.apiVersion, job.kind, spec.completionMode], ['batch/v1', 'Job', 'Indexed'])
  // The API wants this with podFailurePolicy.
  assert.equal(spec.template.spec.restartPolicy, 'Never')
  const [container] = spec.template.spec.containers
  assert.equal(container.args[container.args.indexOf('--shards') + 1], String(spec.completions))
  assert.ok(spec.backoffLimitPerIndex > 0)
  const [{ action, onExitCodes }, ...others] = spec.podFailurePolicy.rules
  assert.deepEqual([action, onExitCodes.values], ['FailIndex', [2]])
  for (const rule of others) {
    assert.ok(['Ignore', 'Count'].includes(rule.action))
    assert.equal(Boolean(rule.onExitCodes) !== Boolean(rule.onPodConditions), true)
  }
  const volumes = spec.template.spec.volumes.map(({ name }) => name)
  for (const { name } of container.volumeMounts) assert.ok(volumes.includes(name))
})

test('kubernetes-indexed-job.yaml: its own command captions a shard; rows that fail are no failure of the pod', () => {
  const { folder, call } = furnish()
  const [{ command, args }] = job.spec.template.spec.containers
  const own = args.map((arg) => arg.replace('/data', folder).replace('llava-v1.6-34b', 'demo'))
  const { status, stderr } = call(command[0], [...command.slice(1), ...own, '--gpus', 'none'], {
    JOB_COMPLETION_INDEX: '3'
  })
  assert.equal(status, 0, stderr)
  assert.match(stderr, /^Shard 3 of 16 \(JOB_COMPLETION_INDEX\): .*captions\.shard-03-of-16\.csv/)
  assert.equal(call(command[0], [...command.slice(1), 'gone.csv', 'out.csv'], {}).status, 2)
})
