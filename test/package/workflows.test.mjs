/** The workflow files of CI cannot be run here: that they parse, and that what they name is there, can be seen. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { parseDocument } from 'yaml'
import { platforms } from '../../scripts/package.mjs'
import { root } from '../helpers/cli.mjs'

const folder = path.join(root, '.github', 'workflows')
const { scripts } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'))
const workflows = new Map(
  fs.readdirSync(folder).map((name) => {
    const document = parseDocument(fs.readFileSync(path.join(folder, name), 'utf8'), { uniqueKeys: true })
    assert.deepEqual(document.errors, [], name)
    return [name, document.toJS()]
  })
)

const npmCommands = ['ci', 'config', 'publish', 'test']

/** The lines that a job runs. */
const linesOf = ({ steps = [] }) => steps.flatMap(({ run = '' }) => run.split('\n')).filter((line) => line !== '')

test('every job runs somewhere, and after jobs that there are', () => {
  assert.ok(workflows.size >= 4)
  for (const [name, { on, jobs, permissions }] of workflows) {
    assert.ok(on && permissions?.contents === 'read', `${name}: when, and what it may`)
    for (const [job, { uses, needs = [], steps, 'runs-on': where, strategy, ...more }] of Object.entries(jobs)) {
      const at = `${name}: ${job}`
      for (const one of [needs].flat()) assert.ok(jobs[one], `${at} needs ${one}`)
      if (uses) {
        const called = workflows.get(path.basename(uses))
        assert.ok(called?.on.workflow_call, `${at} uses ${uses}`)
        assert.deepEqual(Object.keys(more.with), Object.keys(called.on.workflow_call.inputs), at)
        continue
      }
      assert.ok(where && steps.length > 0, at)
      for (const [, key] of JSON.stringify([where, steps, more]).matchAll(/matrix\.(\w+)/g)) {
        const { include = [], ...axes } = strategy.matrix
        assert.ok(axes[key] || (include.length > 0 && include.every((entry) => entry[key])), `${at}: matrix.${key}`)
      }
    }
  }
})

test('every npm script and every file that a job names is there', () => {
  let named = 0
  for (const [name, { jobs }] of workflows) {
    for (const line of Object.values(jobs).flatMap(linesOf)) {
      for (const [, script] of line.matchAll(/\bnpm run ([\w:-]+)/g)) {
        named++
        assert.ok(scripts[script], `${name}: ${line}`)
      }
      for (const [, command] of line.split(' -- ')[0].matchAll(/\bnpm ([\w-]+)/g)) {
        assert.ok(command === 'run' || npmCommands.includes(command), `${name}: ${line}`)
      }
      for (const [file] of line.matchAll(/\b(scripts|bench|test|tools|docs)\/[\w./-]+\w/g)) {
        named++
        assert.ok(fs.existsSync(path.join(root, file)), `${name}: ${file}`)
      }
    }
  }
  assert.ok(named >= 8)
})

test('every platform that the main package depends on is built, checked and published', () => {
  const { jobs } = workflows.get('packages.yml')
  const wanted = Object.keys(platforms).filter((name) => !platforms[name].cuda)
  const inMatrix = (job) => jobs[job].strategy.matrix.include.map(({ platform }) => platform)
  for (const job of ['build', 'check']) {
    assert.deepEqual([...new Set([...inMatrix(job), 'linux-x64-musl'])].sort(), wanted.toSorted(), job)
  }
  const [published] = linesOf(jobs.publish).filter((line) => line.includes('for platform in'))
  assert.deepEqual(/in (.*);/.exec(published)[1].split(' ').sort(), wanted.toSorted())
})
