import { faultError } from './text'
import type { VcapError } from '../errors'

/** Bytes of the longest row: a longer one is a quote that swallows the table. */
const maxRowBytes = 16 * 1024 * 1024
/** Lines that a message names. */
const namedLines = 5

/** Lines of one kind. */
export interface Places {
  count: number
  /** The first of them. */
  lines: number[]
}

/** What a table holds, from a reading of all its bytes. */
export interface TableFacts {
  /** Without the header. */
  rows: number
  /** Rows with fewer cells than the header. */
  short: Places
  /** Rows with more cells than the header, not all of them empty. */
  long: Places
  /** Quoted cells with a line that looks like a row of the table. */
  swallowed: Places
  /** Some cell is empty and in quotes. */
  hasQuotedEmpty: boolean
  /** Rows that are the header once more, as far as one block of bytes shows it. */
  headers: Places
}

/** What a scan has to know of a table. */
export interface ScanOptions {
  /** The table, for messages. */
  label: string
  /** One ASCII character. */
  separator: string
  /** Cells of the header; 0 where it could not be read, and no row's number is looked at. */
  width: number
  /** Where among them the files' paths stand, or whatever tells that a line is a row. */
  column: number
  /** Number of the first line scanned. */
  firstLine: number
  /** Whether a cell names a file that is there. */
  isFile: (name: string) => boolean
}

enum State {
  /** At the start of a cell. */
  start,
  plain,
  quoted,
  /** After a quote within a quoted cell: the end of the cell, or the first half of a doubled one. */
  quote
}

enum Kind {
  text,
  separator,
  quote,
  carriageReturn,
  lineFeed
}

const quoteHelp = 'Put such a cell in quotes whole, and write "" for each quote in its text'

/**
 * Finds in the bytes of a table what its parser cannot tell: the number of each line where line ends are mixed, where a
 * quote was opened, rows of another width. It makes no cells. Lines end with LF, CRLF or CR, as for the parser. Its
 * methods throw `csv_invalid` with the line.
 */
export class Scanner {
  readonly #options: ScanOptions
  readonly #kinds = new Uint8Array(256)
  #state = State.start
  #line: number
  /** A carriage return was the last byte; whether it is a line end of its own is not known yet. */
  #afterReturn = false

  #block: Buffer = Buffer.alloc(0)
  /** Bytes before the block that is being scanned. */
  #passed = 0
  #rowStart = 0
  /** Where the row's line end begins. */
  #rowTextEnd = 0
  #rowLine: number
  /** The row, or the line end before it, has a carriage return alone for a line end. */
  #rowByReturn = false
  #headerByReturn = false
  #header = Buffer.alloc(0)
  #cells = 0
  #cellHasText = false
  #moreThanHeader = false
  /** Bytes of a byte-order mark seen at the row's start. */
  #mark = 0

  /** Where the quoted cell's quote stands. */
  #quoteLine = 0
  /** The cell's current line within the block; -1 where that is its first line or began in another block. */
  #innerStart = -1
  #cellSwallows = false
  /** A file that is there and that such a line names. */
  #swallowedFile: string | undefined

  #records = 0
  #hasQuotedEmpty = false
  readonly #short: Places = { count: 0, lines: [] }
  readonly #long: Places = { count: 0, lines: [] }
  readonly #swallowed: Places = { count: 0, lines: [] }
  readonly #headers: Places = { count: 0, lines: [] }

  constructor(options: ScanOptions) {
    this.#options = options
    this.#line = this.#rowLine = options.firstLine
    this.#kinds[options.separator.charCodeAt(0)] = Kind.separator
    this.#kinds['"'.charCodeAt(0)] = Kind.quote
    this.#kinds['\r'.charCodeAt(0)] = Kind.carriageReturn
    this.#kinds['\n'.charCodeAt(0)] = Kind.lineFeed
  }

  /** Number of the line that the next byte belongs to. */
  get line(): number {
    return this.#line + (this.#afterReturn && this.#state !== State.quoted ? 1 : 0)
  }

  add(block: Buffer): void {
    this.#passed += this.#block.length
    this.#block = block
    this.#innerStart = -1
    for (let at = 0; at < block.length; at++) {
      const byte = block[at]!
      if (this.#state === State.quoted) this.#inQuotes(at, this.#kinds[byte]!)
      else this.#outside(at, byte)
    }
    this.#requireRowFits(this.#passed + block.length)
  }

  /** The end of the table. */
  finish(): TableFacts {
    const end = this.#passed + this.#block.length
    if (this.#afterReturn && this.#state !== State.quoted) this.#endRow(end, true)
    if (this.#state === State.quoted) {
      throw this.#fault(this.#quoteLine, `the quote that opens a cell here is never closed. ${quoteHelp}`)
    }
    this.#rowTextEnd = end
    this.#endRow(end, false)
    return {
      rows: Math.max(0, this.#records - 1),
      short: this.#short,
      long: this.#long,
      swallowed: this.#swallowed,
      hasQuotedEmpty: this.#hasQuotedEmpty,
      headers: this.#headers
    }
  }

  #inQuotes(at: number, kind: Kind): void {
    const afterReturn = this.#afterReturn
    this.#afterReturn = kind === Kind.carriageReturn
    if (kind === Kind.quote) {
      this.#state = State.quote
      this.#lookAtInnerLine(at)
    } else if (kind === Kind.carriageReturn || (kind === Kind.lineFeed && !afterReturn)) {
      this.#line++
      this.#lookAtInnerLine(at)
      this.#innerStart = at + 1
    } else if (kind === Kind.lineFeed) {
      this.#innerStart = at + 1
    }
    if (kind !== Kind.quote) this.#cellHasText = true
  }

  #outside(at: number, byte: number): void {
    const kind: Kind = this.#kinds[byte]!
    if (this.#afterReturn) {
      this.#afterReturn = false
      this.#endRow(this.#passed + at + (kind === Kind.lineFeed ? 1 : 0), kind !== Kind.lineFeed)
      if (kind === Kind.lineFeed) return
    }
    if (kind === Kind.text) {
      if (this.#state === State.quote) throw this.#badClosing()
      if (byte === 0xef || this.#mark > 0) this.#lookForMark(byte)
      this.#state = State.plain
      this.#cellHasText = true
    } else if (kind === Kind.separator) {
      this.#endCell()
    } else if (kind === Kind.carriageReturn) {
      this.#afterReturn = true
      this.#rowTextEnd = this.#passed + at
    } else if (kind === Kind.lineFeed) {
      this.#rowTextEnd = this.#passed + at
      this.#endRow(this.#passed + at + 1, false)
    } else if (this.#state === State.plain) {
      throw this.#fault(this.#line, `a quote stands amid a cell. ${quoteHelp}`)
    } else {
      if (this.#state === State.start) this.#openQuote()
      else this.#cellHasText = true
      this.#state = State.quoted
    }
  }

  #openQuote(): void {
    this.#quoteLine = this.#line
    this.#innerStart = -1
    this.#cellSwallows = false
    this.#swallowedFile = undefined
  }

  #endCell(): void {
    this.#cells++
    if (this.#cellHasText && this.#cells > this.#options.width) this.#moreThanHeader = true
    if (this.#state === State.quote) {
      if (this.#cellSwallows) this.#tellSwallowed()
      this.#hasQuotedEmpty ||= !this.#cellHasText
    }
    this.#state = State.start
    this.#cellHasText = this.#cellSwallows = false
    this.#mark = 0
  }

  /** `byReturn`: by a carriage return alone. An empty line is no row. */
  #endRow(end: number, byReturn: boolean): void {
    this.#requireRowFits(end)
    if (this.#cells > 0 || this.#state !== State.start) {
      this.#endCell()
      if (this.#records++ > 0) this.#lookAtRow(byReturn)
      else this.#keepHeader(byReturn)
    }
    this.#line++
    this.#rowLine = this.#line
    this.#rowStart = end
    this.#rowByReturn = byReturn
    this.#cells = 0
    this.#moreThanHeader = false
  }

  #keepHeader(byReturn: boolean): void {
    this.#headerByReturn = byReturn
    if (this.#rowStart >= this.#passed) this.#header = Buffer.from(this.#rowText())
  }

  #rowText(): Buffer {
    return this.#block.subarray(this.#rowStart - this.#passed, this.#rowTextEnd - this.#passed)
  }

  #lookAtRow(byReturn: boolean): void {
    const length = this.#rowTextEnd - this.#rowStart
    if (length === this.#header.length && this.#rowStart >= this.#passed && this.#rowText().equals(this.#header)) {
      add(this.#headers, this.#rowLine)
    }
    const { width } = this.#options
    if (this.#cells === width || width === 0) return
    if ((byReturn || this.#rowByReturn) && !this.#headerByReturn) {
      const seen = `a carriage return alone makes a row of ${this.#cells} cells where the header has ${width}`
      throw this.#fault(this.#rowLine, `${seen}. ${quoteHelp.replace('quote', 'line end or quote')}`)
    }
    if (this.#cells < width) add(this.#short, this.#rowLine)
    else if (this.#moreThanHeader) add(this.#long, this.#rowLine)
  }

  /** A line within a quoted cell that could be a row: then the quote may not be closed where its writer meant it. */
  #lookAtInnerLine(end: number): void {
    if (this.#swallowedFile || this.#innerStart < 0 || end - this.#innerStart > 4096) return
    const { separator, width, column, isFile } = this.#options
    const cells = this.#block.toString('utf8', this.#innerStart, end).split(separator)
    const name = cells[column] ?? ''
    if (cells.length !== width || !/^\S.*\.\w{2,5}$/.test(name)) return
    this.#cellSwallows = true
    if (isFile(name)) this.#swallowedFile = name
  }

  #tellSwallowed(): void {
    add(this.#swallowed, this.#quoteLine)
    if (!this.#swallowedFile) return
    const seen = `a quote opens a cell that holds another row, of ${JSON.stringify(this.#swallowedFile)}`
    throw this.#fault(this.#quoteLine, `${seen}. ${quoteHelp}`)
  }

  #lookForMark(byte: number): void {
    const expected = [0xef, 0xbb, 0xbf][this.#mark]
    const atStart = this.#cells === 0 && (this.#mark > 0 || this.#state === State.start)
    this.#mark = atStart && byte === expected ? this.#mark + 1 : 0
    if (this.#mark < 3) return
    throw this.#fault(this.#rowLine, 'a byte-order mark begins the line, as where two tables were joined. Remove it')
  }

  #requireRowFits(end: number): void {
    if (end - this.#rowStart <= maxRowBytes) return
    const quoted = this.#state === State.quoted
    const what = quoted ? 'the quote that opens here is not closed for' : 'a row is longer than'
    throw this.#fault(quoted ? this.#quoteLine : this.#rowLine, `${what} ${maxRowBytes} bytes. ${quoteHelp}`)
  }

  #badClosing(): VcapError {
    if (this.#quoteLine === this.#line) {
      return this.#fault(this.#line, `text follows the quote that closes a cell. ${quoteHelp}`)
    }
    const seen = `a quote opens a cell that the next quote, on line ${this.#line}, does not end`
    return this.#fault(this.#quoteLine, `${seen}. ${quoteHelp}`)
  }

  #fault(line: number, what: string): VcapError {
    return faultError(this.#options.label, line, what)
  }
}

function add(places: Places, line: number): void {
  if (places.count++ < namedLines) places.lines.push(line)
}
