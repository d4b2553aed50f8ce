/*
 * Required by the processes of a test (NODE_OPTIONS=--require …), it makes replicas end: with the row whose path
 * has "deadly" in it, and at their start as long as the file that VCAP_TEST_NO_START names is there.
 */
const fs = require('node:fs')

if (process.argv[1]?.endsWith('replica-main.js')) {
  if (fs.existsSync(process.env.VCAP_TEST_NO_START ?? '')) process.exit(9)
  process.on('message', ({ request }) => {
    if (!request?.row?.path.includes('deadly')) return
    fs.appendFileSync(process.env.VCAP_TEST_DEATHS, `${request.row.path}\n`)
    process.kill(process.pid, 'SIGSEGV')
  })
}
