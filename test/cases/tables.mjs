import { gzipSync } from 'node:zlib'

/**
 * Tables as people have them. A case has `contents` and then either `rows`, the cells of the output's own input
 * columns, with `warns` where that is announced; or `code` and `says`, where it is refused before the first caption.
 */
const jsonl = '{"path":"x","a":"","b":12345678901234567890}\n{"path":"y","a":null,"b":{"c": [1, 2.0]}}\n'
const utf16 = (text) => Buffer.from(`\ufeff${text}`, 'utf16le')
const latin1 = (text) => Buffer.from(text, 'latin1')
const group = 'Tables'
const refused = (name, contents, says) => ({ group, name, contents, code: 'csv_invalid', says })
/** As `refused` and `read`, of a table in another format, by its file's name. */
const refusedFile = (file, name, contents, says) => ({ group, name, file, contents, code: 'table_invalid', says })
const readFile = (file, name, contents, rows) => ({ group, name, file, contents, rows, warns: [] })
const read = (name, contents, rows, warns = []) => ({ group, name, contents, rows, warns })

export const tableCases = [
  refused('empty', '', '… is empty: expected a CSV with a header and a column named path'),
  refused('blank lines alone', '\n\n\n', '… is empty: expected a CSV with a header and a column named path'),
  read('header only', 'path,a\n', [['path', 'a']], ['… has a header and no rows']),
  read('a byte-order mark', '\ufeffpath,a\nx,1\n', [
    ['path', 'a'],
    ['x', '1']
  ]),
  read('CRLF', 'path,a\r\nx,1\r\n', [
    ['path', 'a'],
    ['x', '1']
  ]),
  read('CR alone', 'path,a\rx,1\r', [
    ['path', 'a'],
    ['x', '1']
  ]),
  read('line ends that change midway', 'path,a\r\nx,1\ny,2\r\n', [
    ['path', 'a'],
    ['x', '1'],
    ['y', '2']
  ]),
  read('no line end at the end', 'path,a\nx,1', [
    ['path', 'a'],
    ['x', '1']
  ]),
  read('quoted newlines and quotes', 'path,a\n"x\n1","say ""so"""\n', [
    ['path', 'a'],
    ['x\n1', 'say "so"']
  ]),
  read('blank lines between rows', 'path\n\nx\n\n\ny\n', [['path'], ['x'], ['y']]),
  read('duplicate paths', 'path,a\nx,1\nx,2\nx,1\n', [
    ['path', 'a'],
    ['x', '1'],
    ['x', '2'],
    ['x', '1']
  ]),
  read(
    'a missing cell',
    'path,a\nx\n',
    [
      ['path', 'a'],
      ['x', '']
    ],
    ["…: 1 row (line 2) has fewer cells than the header's 2; the missing ones are empty"]
  ),
  read(
    'extra cells',
    'path,a\nx,1,2\n',
    [
      ['path', 'a', 'extra_cells'],
      ['x', '1', '2']
    ],
    ["…: 1 row (line 2) has more cells than the header's 2, … make the column extra_cells"]
  ),
  read('extra cells that are empty', 'path,a\nx,1,,\n', [
    ['path', 'a'],
    ['x', '1']
  ]),
  read('nan, null and numbers are text', 'path,a,b\nnan,NaN,null\n1e5,007,-0\n', [
    ['path', 'a', 'b'],
    ['nan', 'NaN', 'null'],
    ['1e5', '007', '-0']
  ]),
  read('{} in a text meant for a prompt', 'path,note\nx,"{} {text} %s"\n', [
    ['path', 'note'],
    ['x', '{} {text} %s']
  ]),
  read('formulas of spreadsheets are text', 'path,a\nx,=1+1\n', [
    ['path', 'a'],
    ['x', '=1+1']
  ]),
  read('blanks around cells are kept', 'path,a\n x , 1 \n', [
    ['path', 'a'],
    [' x ', ' 1 ']
  ]),
  read('columns without a name, columns of one name', 'path,,a,a\nx,1,2,3\n', [
    ['path', '', 'a', 'a'],
    ['x', '1', '2', '3']
  ]),
  read(
    'a column of ours',
    'path,status\nx,old\n',
    [['path'], ['x']],
    ["The input's column status will be replaced by this run's own; rename what the output should keep"]
  ),
  read(
    'semicolons',
    'path;a\nx;1\n',
    [
      ['path', 'a'],
      ['x', '1']
    ],
    ['…: cells stand between ";"; in the output between ","']
  ),
  read(
    'tabs',
    'path\ta\nx\t1\n',
    [
      ['path', 'a'],
      ['x', '1']
    ],
    ['…: cells stand between "\\t"; in the output between ","']
  ),
  read('a line sep=', 'sep=,\npath,a\nx,1\n', [
    ['path', 'a'],
    ['x', '1']
  ]),
  read('UTF-16 with a byte-order mark', utf16('path,a\r\nx,ü\r\n'), [
    ['path', 'a'],
    ['x', 'ü']
  ]),
  read(
    'a header once more, as by cat',
    'path,a\nx,1\npath,a\n',
    [
      ['path', 'a'],
      ['x', '1'],
      ['path', 'a']
    ],
    ["…: 1 row (line 3) has the header's own cells, as where tables were joined; each counts as a row"]
  ),
  read('one column', 'path\nx\n', [['path'], ['x']]),
  read('path as the last of 500 columns', `${'c,'.repeat(499)}path\n${'1,'.repeat(499)}x\n`, [
    [...Array(499).fill('c'), 'path'],
    [...Array(499).fill('1'), 'x']
  ]),
  read('a cell of 1 MB', `path,a\nx,${'y'.repeat(2 ** 20)}\n`, [
    ['path', 'a'],
    ['x', 'y'.repeat(2 ** 20)]
  ]),
  refused(
    'no column path',
    'file,a\nx,1\n',
    '… has no column named path: its columns are "file", "a". Rename the column that holds the files to path'
  ),
  refused(
    'a column Path',
    'Path,a\nx,1\n',
    '… has no column named path: its columns are "Path", "a". Rename "Path" to path'
  ),
  refused('two columns path', 'path,path\nx,y\n', '… has two columns named path. Rename the one without the files'),
  refused(
    'a quote that is never closed',
    'path,a\nx,"1\ny,2\n',
    '…, line 2: the quote that opens a cell here is never closed…'
  ),
  refused(
    'a quote amid a cell',
    'path,a\nx,5" disk\n',
    '…, line 2: a quote stands amid a cell. Put such a cell in quotes whole…'
  ),
  refused('text after a closing quote', 'path,a\nx,"1"2\n', '…, line 2: text follows the quote that closes a cell…'),
  refused(
    'Latin-1',
    latin1('path,a\nx,caf\xe9\n'),
    '…, line 2: the byte 0xe9 is not UTF-8. Convert it first, as by iconv -f LATIN1 -t UTF-8 …'
  ),
  refused(
    'a path whose bytes are no UTF-8',
    latin1('path\n\xff\xfe-name.mp4\n'),
    '…, line 2: the byte 0xff is not UTF-8…'
  ),
  refused(
    'UTF-16 without a byte-order mark',
    utf16('path,a\nx,1\n').subarray(2),
    '…, line 1: a zero byte, as in UTF-16 without …'
  ),
  refused('a zero byte', 'path,a\nx,\0\n', '…, line 2: a zero byte…'),
  refused(
    'a byte-order mark amid the table',
    'path,a\nx,1\n\ufeffpath,a\ny,2\n',
    '…, line 3: a byte-order mark begins the line…'
  ),
  refused('a spreadsheet', latin1('PK\x03\x04\x14\0\0\0'), '…: a spreadsheet or ZIP file: export the table as CSV…'),
  refused('a compressed table', Buffer.from([0x1f, 0x8b, 8, 0]), '…compressed by gzip…'),
  refused('Parquet', latin1('PAR1\x15\0\x15\0'), '…Parquet…'),
  refused('JSON', '{"path": "x"}\n', '…, line 1: JSON and no CSV: let its name end with .jsonl, …'),
  refused(
    'a row of more than 16 MiB',
    `path\nx\n${'y'.repeat(17 * 2 ** 20)}\n`,
    '…, line 3: a row is longer than 16777216 bytes…'
  ),
  readFile('in.jsonl', 'JSONL: null, "" and no key, numbers beyond 2^53, nested values', jsonl, [
    ['path', 'a', 'b'],
    ['x', '', '12345678901234567890'],
    ['y', '', '{"c": [1, 2.0]}']
  ]),
  readFile('in.csv.gz', 'a CSV compressed by gzip', gzipSync('path,a\nx,1\n'), [
    ['path', 'a'],
    ['x', '1']
  ]),
  refusedFile('in.jsonl', 'JSONL: a line that is no JSON', '{"path":"x"}\n{"path"\n', '…, line 2: … is no JSON: …'),
  refusedFile('in.jsonl', 'JSONL: a list of objects', '[{"path":"x"}]', '…, line 1: expected a JSON object, …'),
  refusedFile(
    'in.jsonl',
    'JSONL: a key twice',
    '{"path":"x","path":"y"}',
    '…, line 1: the key "path" stands there twice'
  ),
  refusedFile('in.jsonl', 'JSONL: no key path', '{"file":"x"}', '… has no column named path: its columns are "file"…'),
  refusedFile('in.jsonl', 'JSONL: empty', '', '… is empty: expected one JSON object a line'),
  refusedFile(
    'in.csv.gz',
    'gzip that is cut short',
    gzipSync('path\nx\n').subarray(0, 20),
    '… is damaged or cut short: …'
  ),
  refusedFile('in.csv.gz', 'a CSV named as one by gzip', 'path\nx\n', '… is not compressed by gzip, …'),
  refusedFile('in.parquet', 'a CSV named Parquet', 'path\nx\n', '… is no Parquet file, as its name or --format says'),
  refusedFile('in.parquet', 'Parquet that is cut short', 'PAR1 and some pages', '… is cut short: …')
]
