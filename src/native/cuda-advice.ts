import { tellPassedOver, type LoadedAddon } from './load'
import { installCommand, packagesForHere } from './platform-packages'

/** How to come to CUDA where the addon that was loaded has none: a sentence. */
export function cudaAdvice({ place, passedOver }: LoadedAddon): string {
  const cuda = packagesForHere().find((one) => one.cuda)
  const failed = passedOver.find(({ origin }) => origin === cuda?.name)
  if (failed) {
    const remedy = failed.remedy === undefined ? '' : `. Remedy: ${failed.remedy}`
    return `What is installed for it does not load: ${tellPassedOver(failed)}${remedy}`
  }
  if (!cuda || !place.origin.startsWith('@'))
    return 'In a clone of vcap-native `VCAP_CUDA=1 npm run build:native` builds one that has it'
  return `\`${installCommand(cuda.name)}\` brings one that has it`
}
