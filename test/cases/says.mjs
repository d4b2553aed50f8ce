/** Whether `text` is what `says` says, where … stands for anything, nothing included. */
export function matches(says, text) {
  const parts = says.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('[^]*')}$`).test(text)
}
