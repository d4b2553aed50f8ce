/** What captions are flagged with, and what not: sentences as models write them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { edited, flagged, flagsOf } from '../../dist/checks/flags.js'

/** Asserts that a flag stands on each of these, or on none. */
function assertFlag(flag, expected, texts, status = 'ok') {
  for (const text of texts) assert.equal(flagsOf(text, status).includes(flag), expected, `${flag}: ${text}`)
}

const good = [
  'A red circle moves from left to right on a navy background.',
  'A man in a blue jacket walks along a snowy street. He stops, looks at the camera and waves.',
  'Two cats sleep on a sofa; a third one watches a bird through the window.',
  'The video shows a woman cooking pasta in a small kitchen. She stirs the pot (slowly), then laughs!',
  'A close-up of a cup of coffee.',
  'A dog in the snow',
  'beach, sunset, palm trees, slow motion, drone shot',
  'Mr. J. Smith of the U.S. team throws 3.5 kg. The crowd cheers.',
  'Why does the cat sit on the keyboard?',
  'A sign reads "Open 9 a.m. to 5 p.m."',
  'She walks away…',
  'Ein Mann fährt mit dem Fahrrad durch einen Park. Im Hintergrund spielen Kinder.',
  'Un homme marche dans la rue, puis il salue la caméra.',
  'Un niño juega con un perro en el jardín.',
  '一名男子在雪地里行走。他停下来向镜头挥手。',
  '女性が台所で料理をしている。鍋をかき混ぜて、笑う。',
  '한 남자가 눈 덮인 거리를 걷고 있다. 그는 손을 흔든다.',
  'एक आदमी सड़क पर चल रहा है।',
  'رجل يمشي في الشارع. هل يبتسم؟',
  'Человек идёт по улице. Он машет рукой.',
  'ผู้ชายเดินอยู่บนถนน',
  'A dog runs on the beach. 🐶🌊',
  'A dog runs on the beach. #dog #beach',
  'A person counts: 1, 2, 3.',
  'The runner wears number 7. Behind him a crowd cheers.',
  'A very, very, very long train passes.',
  'A screen shows "ha ha ha ha ha" in large letters.'
]

test('good captions have no flag, in many languages and shapes', () => {
  for (const text of good) assert.deepEqual(flagsOf(text, 'ok'), [], text)
})

test('cut and empty follow the status; failed rows have no flag', () => {
  assert.deepEqual(flagsOf('A man walks to', 'truncated'), ['cut', 'unfinished'])
  assert.deepEqual(flagsOf('A man walks.', 'truncated'), ['cut'])
  assert.deepEqual(flagsOf('', 'empty'), ['empty'])
  assert.deepEqual(flagsOf('', 'unreadable'), [])
  assertFlag('empty', true, ['...', '. . .', '###', '** **', '-', '…', '。'])
  assertFlag('empty', false, ['A', '7', '🐶', '猫', 'م'])
})

test('a refusal is one at the beginning, in the model’s own words', () => {
  assertFlag('refusal', true, [
    "I'm sorry, but I can't assist with that request.",
    'I’m sorry, I can’t help with identifying people in this video.',
    'I am sorry, but I cannot provide a description of the image.',
    'Sorry, but I cannot describe this video.',
    'I apologize, but as a text-based model I am unable to view images.',
    'My apologies, but I am not able to process this video.',
    'Unfortunately, I am unable to view the video you have provided.',
    'I cannot see the image.',
    "I don't see any image attached to your message.",
    "I'm unable to identify who is in this picture.",
    'I do not have the ability to watch videos.',
    "As an AI language model, I don't have access to visual content.",
    'As an artificial intelligence, I cannot watch videos.',
    'There is no image provided. Please upload the image.',
    "There's no video attached, so nothing can be described.",
    'Please provide the video you would like me to describe.',
    "You haven't provided a picture.",
    'Hello! I cannot assist with that.',
    'This request violates our content policy.',
    'It is not possible for me to describe this content.',
    '"I\'m sorry, but I can\'t help with that."',
    'Thank you for your question. Unfortunately, I cannot view videos.',
    'The scene is dark. As an AI language model I cannot say more.',
    '很抱歉，我无法查看或描述该视频。',
    '抱歉，我不能协助处理这个请求。',
    '我无法识别图片中的人物。',
    '作为一个人工智能语言模型，我没有视觉能力。',
    '申し訳ありませんが、この動画を説明することはできません。',
    '죄송하지만 이 동영상을 설명할 수 없습니다.',
    'Es tut mir leid, aber ich kann dieses Video nicht beschreiben.',
    'Ich kann das Bild leider nicht beschreiben.',
    'Je suis désolé, mais je ne peux pas décrire cette vidéo.',
    'Lo siento, pero no puedo ayudar con eso.',
    'Desculpe, mas não posso descrever este vídeo.',
    'Mi dispiace, ma non posso descrivere il video.',
    'Извините, но я не могу описать это видео.'
  ])
  assertFlag('refusal', false, [
    'A hand-written sign reads "I\'m sorry, I can\'t come in today."',
    'A note says “Sorry, I cannot help you”. It hangs on a door.',
    '"I cannot describe it," says the subtitle, while a man shrugs.',
    "A woman holds a card: I'm sorry, I can't stay. She looks sad.",
    'A man apologizes to a woman who cannot see the picture he holds.',
    'A child says sorry to her brother.',
    'A robot helps an old man who is unable to walk.',
    'The player can’t reach the ball. He falls.',
    'A street is seen from a car. Trees stand on both sides. I cannot identify the make of the car.',
    'There is no person in the room.',
    'There is no image on the screen of the old television.',
    'A poster about artificial intelligence hangs in a lecture hall.',
    'A sorry-looking dog sits in the rain.',
    'Unfortunately for the goalkeeper, the ball goes in.',
    'An actress plays an assistant who can see the future.',
    '字幕写着“抱歉，我不能去”。',
    'Ein Schild sagt „Es tut mir leid, ich kann nicht kommen“.'
  ])
})

test('frame wording tells of the pictures given, not of what has or enters a frame', () => {
  assertFlag('frame_wording', true, [
    'The first frame shows a man in a park.',
    'In the first frame, a cat sits on a chair. In the second frame, it jumps.',
    'A car drives by. In the final frame the car is gone.',
    'The first image shows a beach, and the second image shows a forest.',
    'In the last image, the man waves.',
    'Frame 1: a man. Frame 2: a dog.',
    '**Frame 1** shows a man.',
    'In frame 2 the man turns around.',
    'The frames show a dog that runs along a beach.',
    'These frames are from a cooking video.',
    'The video frames depict a street at night.',
    'Across the three frames the ball moves to the right.',
    'The ball is in each frame a bit higher.',
    'The sequence of images shows a flower that opens.',
    'A series of frames depicting a football match.',
    'The three images show the same room.',
    'The middle frame is darker than the others.',
    'The car is seen from the first frame to the last.',
    'The frame shows a close-up of a hand.',
    '第一帧显示一个男人。最后一帧中他离开了。',
    '最初のフレームでは男性が歩いている。',
    '첫 번째 프레임에서 남자가 걷는다.',
    'Im ersten Bild ist ein Mann zu sehen.',
    'La première image montre un chien.',
    'En la primera imagen se ve un perro. En la última imagen no está.',
    'Na primeira imagem há um cão.',
    'На первом кадре мужчина идёт по улице.'
  ])
  assertFlag('frame_wording', false, [
    'A mechanic welds the frame of a bicycle.',
    'The bicycle frame shows signs of rust.',
    'A red mountain bike stands in a garage. The frame shows deep scratches.',
    'A man enters the frame from the left and leaves the frame on the right.',
    'A bird flies out of frame.',
    'Sunlight falls through the window frames.',
    'Three picture frames hang on the wall.',
    'Three wooden frames hang above the sofa; the first frame on the left is empty.',
    'The second picture on the wall is of a ship.',
    'She looks at the first photo in the album.',
    'The time frame on the chart is three years.',
    'The image shows a man with glasses in a golden frame.',
    'A picture of a lighthouse.',
    'He bowls a strike in the tenth round.',
    'A slide reads "Frame 1: the problem".',
    'The camera keeps the dancer in the centre of the frame.',
    'The first scene shows a harbour; then the camera pans.',
    'A freeze frame ends the clip.',
    'Die Rahmen der Fenster sind weiß.',
    'A series of pictures hangs in the hall.'
  ])
})

test('unfinished is a last sentence without an end, not a title or a list', () => {
  assertFlag('unfinished', true, [
    'A man walks his dog. The dog is',
    'A man walks his dog. The sky is blue and',
    'A man, a dog and a',
    'The scene shows the following:',
    'A woman stirs a pot,',
    '1. A man walks. 2. A dog runs. 3.',
    'He says "Hello". Then he turns to the',
    '一名男子在雪地里行走。他停下来',
    '女性が料理をしている。そして、',
    'Человек идёт по улице. Он машет'
  ])
  assertFlag('unfinished', false, [
    'A dog in the snow',
    'dog, snow, winter, forest',
    'He says "Hello."',
    'He says: “Stop!”',
    '(A dog runs.)',
    '**A dog runs.**',
    'A dog runs. 😀',
    '1. A man walks. 2. A dog runs.',
    'The bottle holds 1.5 l.',
    '一名男子在行走。'
  ])
  assertFlag('unfinished', true, ['A dog in the sn', 'dog, snow, wint', '一只狗在雪'], 'truncated')
})

test('repetition is a passage in a row or a sentence three times, not a refrain', () => {
  const sentence = 'The man walks down the street and waves. '
  assertFlag('repetition', true, [
    sentence.repeat(3),
    `A dog barks. ${sentence.repeat(5)}`,
    `A park. ${'and then he jumps, '.repeat(6)}`,
    'the '.repeat(30),
    `${sentence}A dog barks at the car. ${sentence}The car is blue and old. ${sentence}`,
    Array.from({ length: 12 }, (_, i) => `${i + 1}. A red car`).join(' '),
    '一个男人走在街上，'.repeat(5),
    '人々が歩いている。'.repeat(4)
  ])
  assertFlag('repetition', false, [
    ...good,
    `${sentence.repeat(2)}A dog follows him into a large old house.`,
    'The crowd shouts "go, go, go, go, go"! The runner speeds up and wins the race by a hair.',
    'Red, green, red, green, red, green: the lights of the stage change all the time while she sings.',
    'The man jumps. The dog jumps. The cat jumps. The horse jumps. The child jumps. Everybody jumps.',
    'It reads 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24.'
  ])
})

test('a captioner’s own flags stay, and are not doubled', () => {
  const row = { status: 'truncated', text: 'A man walks', numFrames: 1, error: null, usage: null }
  const made = flagged({ ...row, flags: ['repetition', 'watermark'] })
  assert.deepEqual(made.flags, ['repetition', 'watermark', 'unfinished'])
  assert.deepEqual(flagged(made), made)
  assert.deepEqual(flagged({ ...row, text: 'A man walks.', status: 'ok' }).flags, undefined)
  assert.deepEqual(flagged({ ...row, text: '', status: 'missing', error: 'gone' }).flags, undefined)
})

test('an edit takes the flags away that it mends, and no others', () => {
  const row = { numFrames: 1, error: null, usage: null }
  const cut = flagged({ ...row, status: 'truncated', text: 'The video shows a man walking. He is' })
  assert.deepEqual(cut.flags, ['cut', 'unfinished'])
  const both = edited(cut, { clean: true, trimSentence: true })
  assert.deepEqual([both.text, both.flags, both.status], ['A man walking.', ['cut'], 'truncated'])
  assert.deepEqual(edited(cut, { clean: true, trimSentence: false }).flags, ['cut', 'unfinished'])
  assert.equal(edited(cut, { clean: false, trimSentence: false }), cut)
  const failed = { ...row, status: 'missing', text: '', error: 'gone' }
  assert.equal(edited(failed, { clean: true, trimSentence: true }), failed)
})
