/** What `--clean` and `--trim-sentence` make of captions, and what they leave alone. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dropOpening } from '../../dist/checks/openings.js'
import { trimSentence } from '../../dist/checks/sentences.js'

test('usual openings are dropped, and a right sentence is left', () => {
  for (const [text, expected] of [
    ['The video shows a man walking.', 'A man walking.'],
    ['The video shows a man walking. The video was shot at night.', 'A man walking. The video was shot at night.'],
    ['This image depicts two cats on a sofa.', 'Two cats on a sofa.'],
    ['The short video clip features the Eiffel Tower.', 'The Eiffel Tower.'],
    ['The image shows that a man is walking.', 'A man is walking.'],
    ['In the video, a man is walking his dog.', 'A man is walking his dog.'],
    ['In this image, we can see a red car.', 'A red car.'],
    ['In the image there is a table.', 'There is a table.'],
    ['In the video, there are two dogs.', 'There are two dogs.'],
    ['We see a busy street at night.', 'A busy street at night.'],
    ['This is a video of a dog running.', 'A dog running.'],
    ['This is an image showing three boats.', 'Three boats.'],
    ['Sure! Here is a description of the video: The video shows a man.', 'A man.'],
    ['Certainly! A man walks.', 'A man walks.'],
    ['Description: a man walks.', 'A man walks.'],
    ['Here is a detailed description of the image:\nA man walks.', 'A man walks.'],
    ['The photo captures the moment when a ball hits the net.', 'The moment when a ball hits the net.'],
    ['The video shows us a small village.', 'A small village.'],
    ['The image shows iPhone cases on a table.', 'iPhone cases on a table.'],
    ['The series of images shows a flower that opens.', 'A flower that opens.'],
    ['这段视频展示了一名男子在雪地里行走。', '一名男子在雪地里行走。'],
    ['视频中，一名男子在行走。', '一名男子在行走。'],
    ['图片显示了一只猫。', '一只猫。']
  ])
    assert.equal(dropOpening(text), expected)
})

test('what has no such opening, or would be no sentence without it, stays as it is', () => {
  for (const text of [
    '',
    'A man walks.',
    'The video shows.',
    'The video shows how to bake bread.',
    'The video shows what happens to ice in the sun.',
    'The video shows off a new car.',
    'The video shows a man walking and then cuts to a beach.',
    'The video shows a street, and ends with a sunset.',
    'The image features him.',
    'The image features prominently a red car.',
    'The image is a close-up of a flower.',
    'The video begins with a man walking.',
    'The video appears to show a man.',
    'The man shows a video to his friends.',
    'The image on the wall shows a ship.',
    'A picture shows a man.',
    'We see.',
    'Sure!',
    'Das Video zeigt einen Mann.',
    'She says: "The video shows a man".'
  ])
    assert.equal(dropOpening(text), text)
})

test('an unfinished last sentence is cut, and something is always left', () => {
  for (const [text, cut, expected] of [
    ['A man walks his dog. The dog is', false, 'A man walks his dog.'],
    ['A man walks his dog. The dog is', true, 'A man walks his dog.'],
    ['He says "I go home." Then he', true, 'He says "I go home."'],
    ['Mr. Smith waves to the crowd! He then', true, 'Mr. Smith waves to the crowd!'],
    ['It weighs 3.5 kg and costs 4.', true, 'It weighs 3.5 kg and costs 4.'],
    ['1. A man walks. 2. A dog runs fast. 3. A c', true, '1. A man walks. 2. A dog runs fast.'],
    ['一名男子在雪地里行走。他停下来', true, '一名男子在雪地里行走。'],
    ['एक आदमी सड़क पर है। वह', true, 'एक आदमी सड़क पर है।'],
    ['A man walks along a very long', true, 'A man walks along a very long'],
    ['Sure! The video shows a man who', true, 'Sure! The video shows a man who'],
    ['A dog in the snow', false, 'A dog in the snow'],
    ['A man walks.', true, 'A man walks.'],
    ['', false, '']
  ])
    assert.equal(trimSentence(text, cut), expected, text)
})
