// Reads feeds with @cityssm/green-button-parser and prints what it found:
// {file: {"entries": …, "readings": {address of a meter reading: [[start, duration, value, cost, unit], …]}}}
import { readFileSync } from 'node:fs'
import { atomToGreenButtonJson, helpers } from '@cityssm/green-button-parser'

const found = {}
for (const file of process.argv.slice(2)) {
  const feed = await atomToGreenButtonJson(readFileSync(file, 'utf8'))
  const readings = {}
  for (const entry of helpers.getEntriesByContentType(feed, 'IntervalBlock')) {
    const above = helpers.getMeterReadingEntryFromIntervalBlockEntry(feed, entry)
    const type = helpers.getReadingTypeEntryFromIntervalBlockEntry(feed, entry)
    const rows = (readings[above.links.self] ??= [])
    for (const block of entry.content.IntervalBlock) {
      for (const reading of block.IntervalReading) {
        rows.push([
          reading.timePeriod.start,
          reading.timePeriod.duration,
          reading.value,
          reading.cost ?? null,
          type.content.ReadingType.uom
        ])
      }
    }
  }
  found[file] = { entries: feed.entries.length, readings }
}
process.stdout.write(JSON.stringify(found))
