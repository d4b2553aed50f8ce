/**
 * What a tower of this shape multiplies for one tile: its products with weights, `{ k, m, n, times }`, and the
 * multiplications and additions of all its matrix products, those inside attention included.
 */
export function workOf({ image, patch, width, layers, feedForward, projection }) {
  const patches = (image / patch) ** 2
  const positions = patches + 1
  const products = [
    { k: patch * patch * 3, m: width, n: patches, times: 1 },
    { k: width, m: width, n: positions, times: 4 * layers },
    { k: width, m: feedForward, n: positions, times: layers },
    { k: feedForward, m: width, n: positions, times: layers },
    { k: width, m: projection, n: patches, times: 1 },
    { k: projection, m: projection, n: patches, times: 1 }
  ]
  const attention = 4 * positions * positions * width * layers
  return { products, flops: products.reduce((sum, { k, m, n, times }) => sum + 2 * k * m * n * times, attention) }
}
