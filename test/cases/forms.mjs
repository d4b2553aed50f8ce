/**
 * Forms and prompts that the command refuses. A case has the `flags` given after a table, the file `contents` that they
 * name as FILE (null: it is not there), and what it `says`, with 2, before anything is captioned.
 */
const refused = (group) => (name, flags, says, contents) => ({ group, name, flags, contents, code: 'usage', says })

const form = refused('Answers in a form')
const schemaFile = (name, contents, says) => form(name, ['--json-schema', 'FILE'], says, contents)
const schema = (name, value, says) => schemaFile(name, JSON.stringify(value), says)
const property = (name, value, says) =>
  schema(name, { type: 'object', properties: { a: value } }, `The JSON Schema's /properties/a${says}`)
const grammar = (name, contents, says) => form(name, ['--grammar', 'FILE'], says, contents)
const columns = (name, flags, says, ...properties) =>
  form(
    name,
    [...flags, '--json-schema', 'FILE', '--json-columns'],
    says,
    JSON.stringify({
      type: 'object',
      properties: Object.fromEntries(properties.map((each) => [each, { type: 'boolean' }]))
    })
  )
const boolean = '{"type": "boolean"}'

const forms = [
  schemaFile('a file with a schema that is not there', null, 'The JSON Schema in … cannot be read: ENOENT: …'),
  schemaFile('an empty schema', '', 'The JSON Schema in … cannot be read: it is empty'),
  schemaFile(
    'a schema that is not UTF-8',
    Buffer.from('\ufeff{}', 'utf16le'),
    'The JSON Schema in … cannot be read: …utf-8'
  ),
  schemaFile(
    'a schema of more than a megabyte',
    ' '.repeat(1 << 20) + boolean,
    'The JSON Schema in … cannot be read: it has more than … bytes'
  ),
  schemaFile('a schema that is no JSON', '{\n  "type": "object",\n}\n', 'The JSON Schema in … is no JSON: … (line 3…)'),
  schemaFile('a schema that is no object', '[]', 'The JSON Schema in … is no object: expected {"type": "object", …}'),
  schema(
    'a schema that says nothing',
    {},
    'The JSON Schema has no type: say which it is, or give enum, const or anyOf'
  ),
  schema('no type of JSON', { type: 'text' }, "The JSON Schema's /type is none of object, array, string, …"),
  property(
    'a keyword that is not taken',
    { type: 'string', format: 'date' },
    ' has format, of which no grammar is made: leave it out'
  ),
  property(
    'a schema that leads back to itself',
    { $ref: '#' },
    '/$ref leads back to itself (#): write out how deep it may go'
  ),
  property('a reference to nothing', { $ref: '#/$defs/a' }, '/$ref names #/$defs/a, which is not there'),
  property('a reference to another file', { $ref: 'a.json' }, '/$ref is no place in this schema, such as #/$defs/name'),
  property(
    'minLength above maxLength',
    { type: 'string', minLength: 5, maxLength: 2 },
    ' has a minLength above its maxLength'
  ),
  property(
    'minItems above maxItems',
    { type: 'array', items: { type: 'null' }, minItems: 5, maxItems: 2 },
    ' has a minItems above its maxItems'
  ),
  property('minimum above maximum', { type: 'number', minimum: 5, maximum: 2 }, ' has a minimum above its maximum'),
  property(
    'no whole number between two limits',
    { type: 'integer', minimum: 0.1, maximum: 0.9 },
    ' has limits between which there is no whole number'
  ),
  property(
    'strings that are too long',
    { type: 'string', maxLength: 100_000 },
    ' may have more than 10000: set a lower maxLength'
  ),
  property('an empty enum', { enum: [] }, '/enum is empty, and no answer would do: name the values, or leave it out'),
  property('a value of another type', { type: 'string', enum: ['a', 1] }, '/enum/1 is of none of the types string'),
  property('an array without items', { type: 'array' }, ' has no items: say what they are'),
  schema(
    'a required property that is not there',
    { type: 'object', properties: {}, required: ['a'] },
    'The JSON Schema\'s /required names "a", which is not in properties'
  ),
  grammar('a file with a grammar that is not there', null, 'The grammar in … cannot be read: ENOENT: …'),
  grammar('an empty grammar', ' \n', 'The grammar in … cannot be read: it is empty'),
  grammar(
    'a grammar that cannot be read',
    'root ::= "a"\nb ::= ("a"\n',
    "The grammar's line … cannot be read: expected )"
  ),
  grammar(
    'a rule that is not there',
    'root ::= "a" |\n  b\n',
    "The grammar's line 2 cannot be read: there is no rule b"
  ),
  grammar('a rule twice', 'root ::= "a"\nroot ::= "b"\n', "The grammar's line 2 cannot be read: a second rule root"),
  grammar('no rule root', 'answer ::= "a"\n', 'The grammar has no rule root, which a whole answer is of: name one so'),
  grammar(
    'a rule that begins with itself',
    'root ::= root "a" | "b"\n',
    "The grammar's rule root may begin with itself, or repeats what may be empty: let it begin with a character"
  ),
  grammar(
    'a rule that begins with itself by another',
    'root ::= a\na ::= b "a" | "c"\nb ::= a\n',
    "The grammar's rule … may begin with itself, or repeats what may be empty: let it begin with a character"
  ),
  grammar('a rule that never ends', 'root ::= "a" root\n', '… never ends…'),
  grammar(
    'more than 10,000 times',
    'root ::= "a"{20000}\n',
    "The grammar's line 1 cannot be read: a repetition of more than 10000 times"
  ),
  form(
    'a schema and a grammar',
    ['--json-schema', 'FILE', '--grammar', 'FILE'],
    'Expected either jsonSchema or grammar but received both',
    boolean
  ),
  form(
    'edits of answers in a form',
    ['--json-schema', 'FILE', '--clean'],
    'An answer in a form stays as it is: leave out clean',
    boolean
  ),
  form(
    'columns of answers without a schema',
    ['--json-columns'],
    'Columns of answers need a JSON Schema that names them: give jsonSchema'
  ),
  form(
    'columns of answers that are no objects',
    ['--json-schema', 'FILE', '--json-columns'],
    'Columns are made of the properties of an object, and the JSON Schema names none',
    boolean
  ),
  columns(
    'a property named as another column',
    [],
    "The answers' property status cannot be a column, since another one is named status: rename it in the schema",
    'a',
    'status'
  ),
  columns(
    'a property of a prompt’s answers named as another column',
    ['--prompt', 'a=short', '--prompt', 'b=tags'],
    "The answers' property flags of a cannot be a column, since another one is named a_flags: rename it in the …",
    'flags'
  ),
  columns(
    'properties of two prompts’ answers with one column',
    ['--prompt', 'a=short', '--prompt', 'a_b=tags'],
    "The answers' property b_c of a cannot be a column, since another one is named a_b_c: rename it in the …",
    'b_c',
    'c'
  )
]

const prompt = (name, written, says) =>
  refused('Prompts')(
    name,
    written.flatMap((each) => ['--prompt', each]),
    says
  )
const prompts = [
  prompt(
    'a prompt named as another column',
    ['path=short', 'b=tags'],
    'No caption can be named path: another column of the output has this name'
  ),
  prompt(
    'a prompt named as another prompt’s column',
    ['a=short', 'a_status=tags'],
    'No caption can be named a_status: another column of the output has this name'
  ),
  prompt('one name twice', ['a=short', 'A=tags'], 'Two prompts are named A: rename one'),
  prompt(
    'several prompts, one without a name',
    ['a=short', 'What is it?'],
    'Several prompts need a name each, as in short=short: "What is it?" has none'
  ),
  prompt(
    'several prompts, one with an empty name',
    ['a=short', '=tags'],
    'Several prompts need a name each, as in short=short: "=tags" has none'
  ),
  prompt('an empty prompt', ['a=short', 'b= '], 'The prompt b is empty: write b=QUESTION'),
  prompt(
    'more than 16 prompts',
    Array.from({ length: 17 }, (_, i) => `a${i}=short`),
    'Expected 1 to 16 prompts by name…'
  )
]

export const formCases = [...forms, ...prompts]
