/**
 * How a shared conversation looks: the colours of `tokens.css`, in pixels, as nothing around it can be relied on. It stands between the
 * tags of a `style` element, in HTML and in XML: without the signs that either would read.
 */
export const shareStyle = `
.page {
  --paper: light-dark(#fbfaf7, #171614); --sunken: light-dark(#f4f1eb, #24211e); --line: light-dark(#e6e2da, #34302b);
  --ink: light-dark(#1e1c19, #efebe4); --secondary: light-dark(#6b655c, #a39b8f); --link: light-dark(#8a5010, #e5a044);
  --keyword: light-dark(#8a3b12, #e8a87c); --string: light-dark(#3f6212, #a3c585); --number: light-dark(#7a4a00, #dcb862);
  --name: light-dark(#1f5673, #8fbcd4);
  --sans: system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', 'DejaVu Sans', sans-serif;
  --mono: ui-monospace, 'SF Mono', 'Cascadia Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace;
  box-sizing: border-box; margin: 0; padding: 32px 20px 40px; background: var(--paper); color: var(--ink);
  font: 15px/24px var(--sans); overflow-wrap: anywhere;
}
.page * { box-sizing: border-box; }
.page article { max-width: 680px; margin: 0 auto; }
.page h1, .page h2, .page h3, .page h4, .page h5, .page h6, .page p, .page ul, .page ol, .page figure, .page pre, .page blockquote { margin: 0; padding: 0; }
.page h1 { font: 600 20px/28px var(--sans); }
.page .begun { margin-top: 4px; }
.page .begun, .page .note, .page figcaption, .page footer, .page h2 { color: var(--secondary); font: 13px/18px var(--sans); }
.page section { margin-top: 24px; }
.page h2 { font-weight: 600; }
.page .typed, .page .markdown, .page .plain { margin-top: 8px; }
.page .typed, .page .plain { white-space: pre-wrap; }
.page .typed { padding: 8px 12px; border-radius: 10px; background: var(--sunken); unicode-bidi: plaintext; }
.page .note { margin-top: 8px; }
.page .note li { margin-left: 20px; }
.page figure { margin-top: 8px; }
.page figure img { display: block; width: auto; height: auto; max-width: 100%; max-height: 560px; border: 1px solid var(--line); border-radius: 10px; }
.page figcaption { margin-top: 4px; }
.page .markdown * + * { margin-top: 0; }
.page .markdown p, .page .markdown li, .page .markdown th, .page .markdown td, .page .markdown h3, .page .markdown h4, .page .markdown h5, .page .markdown h6 { unicode-bidi: plaintext; }
.page .markdown p + *, .page .markdown ul + *, .page .markdown ol + *, .page .markdown pre + *, .page .markdown blockquote + *, .page .markdown .table + *, .page .markdown hr + *, .page .markdown .display + *, .page .markdown li .display, .page .markdown li pre { margin-top: 12px; }
.page .markdown h3, .page .markdown h4, .page .markdown h5, .page .markdown h6 { margin-top: 20px; font: 600 15px/24px var(--sans); }
.page .markdown h3 { font-size: 17px; }
.page .markdown h3:first-child, .page .markdown h4:first-child, .page .markdown h5:first-child { margin-top: 0; }
.page .markdown h3 + *, .page .markdown h4 + *, .page .markdown h5 + *, .page .markdown h6 + * { margin-top: 8px; }
.page ul, .page ol { padding-inline-start: 24px; text-align: left; }
.page ul:dir(rtl), .page ol:dir(rtl) { text-align: right; }
.page .markdown li + li { margin-top: 4px; }
.page .task { list-style: none; margin-left: -20px; }
.page blockquote { padding-inline-start: 16px; border-inline-start: 2px solid var(--line); color: var(--secondary); }
.page hr { height: 1px; border: 0; background: var(--line); }
.page code { padding: 1px 4px; border-radius: 4px; background: var(--sunken); font: 13px/20px var(--mono); }
.page pre { padding: 12px; border: 1px solid var(--line); border-radius: 10px; background: var(--sunken); white-space: pre-wrap; tab-size: 4; }
.page pre code { padding: 0; background: none; white-space: pre-wrap; }
.page .is-keyword { color: var(--keyword); } .page .is-string { color: var(--string); } .page .is-number { color: var(--number); }
.page .is-name { color: var(--name); } .page .is-comment { color: var(--secondary); }
.page .table { overflow-x: auto; }
.page table { border-collapse: collapse; overflow-wrap: normal; font-variant-numeric: tabular-nums; }
.page th, .page td { padding: 4px 12px 4px 0; border-bottom: 1px solid var(--line); vertical-align: top; text-align: left; }
.page th, .page strong { font-weight: 600; }
.page a { color: var(--link); }
.page .host { color: var(--secondary); font-size: 13px; }
.page .formula.display { display: block; padding: 4px 0; overflow-x: auto; overflow-y: hidden; text-align: center; }
.still .formula.display, .still .table { overflow: hidden; }
.page footer { margin-top: 32px; padding-top: 12px; border-top: 1px solid var(--line); }
@media print {
  .page { padding: 0; color-scheme: light; background: none; font-size: 11pt; line-height: 1.5; }
  .page article { max-width: none; }
  .page .typed, .page pre { border: 1px solid var(--line); background: none; }
  .page figure, .page pre, .page tr, .page .display { break-inside: avoid; }
  .page h2, .page h3, .page h4 { break-after: avoid; }
  .page figure img { max-height: 16cm; }
  .page .table { overflow: visible; }
}
`;
