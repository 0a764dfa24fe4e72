export default function Page() {
  return <main>a page of Next</main>;
}
