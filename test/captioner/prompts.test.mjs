import assert from 'node:assert/strict'
import test from 'node:test'
import { prompts } from '../../dist/index.js'
import { buildPrompt } from '../../dist/prompts.js'

test('the default follows the number of pictures sent', () => {
  assert.equal(buildPrompt(undefined, 1, undefined), prompts.image)
  assert.equal(buildPrompt(undefined, 2, undefined), prompts.video)
  assert.equal(
    prompts.video,
    'These are frames of one video, in order. Describe the video in detail: its subjects, what they do, how they ' +
      'and the camera move, the setting, colours and style. Do not mention frames. Answer in at most six sentences.',
    'the demo model was trained on these words'
  )
})

test('a name is a preset, anything else is the prompt itself', () => {
  assert.equal(buildPrompt('short', 3, undefined), prompts.short)
  assert.equal(buildPrompt('What is it?', 3, undefined), 'What is it?')
  assert.equal(buildPrompt('toString', 1, undefined), 'toString')
})

test('{} takes the text to the letter; missing cells become nothing', () => {
  assert.equal(buildPrompt('[{}] and {}', 1, ' a $& $1 {} cat '), '[a $& $1 {} cat] and a $& $1 {} cat')
  for (const text of [undefined, '', '  ', 'nan', 'NaN', 'None', 'null'])
    assert.equal(buildPrompt('[{}]', 1, text), '[]')
})
