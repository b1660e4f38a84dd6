declare module "snappyjs" {
  const snappyjs: { readonly compress: (bytes: Uint8Array) => Uint8Array }
  export default snappyjs
}
