// The packages of all the examples are in the folder above.
export default { turbopack: { root: `${import.meta.dirname}/..` } };
