/** The licences of others' code in an addon, read from their sources. */
import fs from 'node:fs'
import path from 'node:path'

/** The comment with which a source file begins: its licence. */
function openingComment(file) {
  const lines = fs.readFileSync(file, 'utf8').split('\n')
  const end = lines.findIndex((line) => !line.startsWith('//'))
  return lines
    .slice(0, end)
    .map((line) => line.replace(/^\/\/ ?/, ''))
    .join('\n')
}

const gccRuntime = `The GNU compiler's runtime libraries libstdc++, libgcc and libgomp are Copyright (C) Free Software
Foundation, Inc. and licensed under the GNU General Public License, version 3, with the GCC Runtime Library Exception,
version 3.1, which lets them be part of a program of any licence. Both texts: https://www.gnu.org/licenses/gpl-3.0.html
and https://www.gnu.org/licenses/gcc-exception-3.1.html. Sources: https://gcc.gnu.org`

const cudaRuntime = `NVIDIA's CUDA runtime (cudart) is Copyright (C) NVIDIA Corporation, linked in as the CUDA Toolkit's
End User License Agreement allows: https://docs.nvidia.com/cuda/eula`

/** The text of THIRD-PARTY.md for a platform's package. `root` is our folder, `llamaCpp` the folder of its sources. */
export function notices(root, llamaCpp, platform) {
  const read = (...names) => fs.readFileSync(path.join(...names), 'utf8').trim()
  const parts = [
    ['llama.cpp and ggml', read(llamaCpp, 'LICENSE')],
    [
      'llamafile (matrix products in ggml)',
      openingComment(path.join(llamaCpp, 'ggml/src/ggml-cpu/llamafile/sgemm.cpp'))
    ],
    ['node-addon-api', read(root, 'node_modules/node-addon-api/LICENSE.md')]
  ]
  if (platform.startsWith('linux')) parts.push(["GCC's runtime libraries", gccRuntime])
  if (platform.endsWith('cuda')) parts.push(['CUDA runtime', cudaRuntime])
  return `# Code of others in this addon\n\n${parts.map(([name, text]) => `## ${name}\n\n${text}\n`).join('\n')}`
}
