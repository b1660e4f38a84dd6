import { startCluster } from "comanche-franz/testing"

await startCluster()
console.log("started")
