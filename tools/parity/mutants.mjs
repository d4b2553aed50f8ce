/**
 * Shows that the parity tests can fail: builds addons that are wrong in one way each and
 * expects test/parity/fixtures.test.mjs to fail on every one of them, and to pass on a copy
 * that was compiled in the same way without a change.
 *
 *   node tools/parity/mutants.mjs [NAME …]      needs an up-to-date build/ (npm run build:native)
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildPatchedAddon } from './patched-addon.mjs'

const tower = 'core/vision/llava/tower.cpp'
const layout = 'core/vision/llava/tiling.cpp'
const cut = 'core/vision/llava/cut.cpp'
const pack = 'core/vision/llava/pack.cpp'
const config = 'core/vision/llava/config.cpp'
const processor = 'core/vision/llava/processor.cpp'

/** The errors by name: pieces of the code in native/, and the wrong code that replaces them. */
const mutants = {
  'class token last': [
    { file: tower, find: 'ggml_concat(graph, classes, embedded, 1)', put: 'ggml_concat(graph, embedded, classes, 1)' }
  ],
  'one block fewer': [
    { file: config, find: 'config.blocks = read_blocks(file);', put: 'config.blocks = read_blocks(file) - 1;' }
  ],
  'all 24 blocks': [{ file: config, find: 'return stored == 24 ? 23 : stored;', put: 'return stored;' }],
  'tanh GELU in the projector': [{ file: tower, find: 'ggml_gelu_erf(', put: 'ggml_gelu(' }],
  'erf GELU in the tower': [{ file: tower, find: 'ggml_gelu_quick_inplace(', put: 'ggml_gelu_erf_inplace(' }],
  'newline left out': [
    {
      file: layout,
      find: 'layout.tokens = base + layout.kept_rows * (layout.kept_cols + 1);',
      put: 'layout.tokens = base + layout.kept_rows * layout.kept_cols;'
    },
    { file: pack, find: 'if (geometry.unpads()) {\n            order.push_back(NEWLINE);\n        }', put: '' }
  ],
  'newline first in a row': [
    { file: pack, find: 'if (geometry.unpads()) {\n            order.push_back(NEWLINE);\n        }', put: '' },
    {
      file: pack,
      find: 'for (int col = layout.kept_left; col <',
      put: 'if (geometry.unpads()) order.push_back(NEWLINE);\n        for (int col = layout.kept_left; col <'
    }
  ],
  'overview last': [
    {
      file: pack,
      find: '#include "core/vision/vision.h"',
      put: '#include "core/vision/vision.h"\n#include <algorithm>'
    },
    {
      file: pack,
      find: '    return order;\n}\n\n}   // namespace vcap',
      put:
        '    std::rotate(order.begin(), order.begin() + base, order.end());\n' +
        '    return order;\n}\n\n}   // namespace vcap'
    }
  ],
  'unpad off': [
    { file: layout, find: 'layout.kept_top = (layout.kept_rows - rows) / 2;', put: 'layout.kept_top = 0 * rows;' },
    { file: layout, find: 'layout.kept_left = (layout.kept_cols - cols) / 2;', put: 'layout.kept_left = 0 * cols;' }
  ],
  'the last of equal grids': [
    {
      file: layout,
      find: '(effective == best_effective && waste < best_waste)',
      put: '(effective == best_effective && waste <= best_waste)'
    }
  ],
  'tiles column by column': [
    {
      file: pack,
      find: '1 + (row / side) * layout.cols + col / side',
      put: '1 + (col / side) * layout.rows + row / side'
    }
  ],
  'red and blue exchanged': [
    { file: tower, find: 'corner + y * row_bytes + channel', put: 'corner + y * row_bytes + 2 - channel' }
  ],
  'picture in the corner of its grid': [{ file: cut, find: 'layout.pad_left, layout.pad_top,', put: '0, 0,' }],
  'grid stretched to its canvas': [
    {
      file: cut,
      find: 'stretch(picture, layout.resized_width, layout.resized_height)',
      put: 'stretch(picture, layout.cols * side, layout.rows * side)'
    },
    { file: cut, find: 'layout.pad_left, layout.pad_top,', put: '0, 0,' }
  ],
  'pooled on the other side of the projector': [
    {
      file: tower,
      find: 'if (pooling.pools() && pooling.before_projector)',
      put: 'if (pooling.pools() && !pooling.before_projector)'
    },
    {
      file: tower,
      find: 'if (pooling.pools() && !pooling.before_projector) {\n        features_',
      put: 'if (pooling.pools() && pooling.before_projector) {\n        features_'
    }
  ],
  'sums for means': [
    {
      file: tower,
      find: 'grid = ggml_pool_2d(graph, grid, operation, stride, stride, stride, stride, 0, 0);',
      put:
        'grid = ggml_pool_2d(graph, grid, operation, stride, stride, stride, stride, 0, 0);\n' +
        '        if (operation == GGML_OP_POOL_AVG) grid = ggml_scale(graph, grid, stride * stride);'
    }
  ],
  'means for maxima': [
    { file: tower, find: 'pooling.mode == PoolMode::max ? GGML_OP_POOL_MAX', put: 'false ? GGML_OP_POOL_MAX' }
  ],
  'pooled grid transposed': [
    {
      file: pack,
      find: 'for (int i = 0; i < side * side; i++) {\n        order.push_back(i);',
      put: 'for (int i = 0; i < side * side; i++) {\n        order.push_back(i % side * side + i / side);'
    }
  ],
  'what bilinear scaling leaves over cut off': [
    { file: pack, find: 'pooling.mode == PoolMode::bilinear && side', put: 'false && side' }
  ],
  'newline of a frame behind its first feature': [
    {
      file: pack,
      find: 'const bool ends_frame = i + 1 == side * side;',
      put: 'const bool ends_frame = i == 0;'
    }
  ],
  'newline of the last frame behind each': [
    {
      file: processor,
      find: 'i + 1 == sizes.size() ? NewlinePlace::frame : NewlinePlace::none',
      put: 'NewlinePlace::frame'
    }
  ],
  'frames stretched to a square': [
    {
      file: cut,
      find: 'return centre_crop(view(frame), geometry.tile_size).pixels;',
      put: 'return stretch(view(frame), geometry.tile_size, geometry.tile_size).pixels;'
    }
  ],
  'unnormalised scores': [{ file: tower, find: '1.0f / std::sqrt(static_cast<float>(head))', put: '1.0f' }]
}

const chosen = process.argv.slice(2)
const unknown = chosen.filter((name) => !(name in mutants))
if (unknown.length > 0)
  throw new Error(`There is no mutant ${unknown.join(', ')}. There are: ${Object.keys(mutants).join(', ')}`)

let failed = false
report('unchanged', runTests([], [tower, layout, pack, cut, config, processor]), (failing) => failing.length === 0)
for (const [name, patches] of Object.entries(mutants)) {
  if (chosen.length === 0 || chosen.includes(name)) report(name, runTests(patches), (failing) => failing.length > 0)
}
process.exitCode = failed ? 1 : 0

/** Builds and tests one addon; returns the names of the tests that failed. */
function runTests(patches, files) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vcap-mutant-'))
  try {
    const addon = buildPatchedAddon(folder, patches, files)
    const tests = fileURLToPath(new URL('../../test/parity/fixtures.test.mjs', import.meta.url))
    const { stdout } = spawnSync(process.execPath, ['--test', '--test-reporter=tap', tests], {
      encoding: 'utf8',
      env: { ...process.env, VCAP_PARITY_ADDON: addon },
      maxBuffer: 1 << 28
    })
    // A run that ended early proves nothing: every test must have been reported.
    if (!/^# tests \d+$/m.test(stdout) || !/^(not )?ok \d+ - 20,000 image sizes/m.test(stdout))
      throw new Error(`The tests did not run to their end:\n${stdout}`)
    return [...stdout.matchAll(/^not ok \d+ - ([^:\n]*)/gm)].map((match) => match[1])
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

function report(name, failing, expected) {
  const good = expected(failing)
  failed ||= !good
  const found = failing.length === 0 ? 'all tests pass' : `${failing.length} tests fail (${failing.join(', ')})`
  console.log(`${good ? 'ok  ' : 'FAIL'} ${name}: ${found}`)
}
