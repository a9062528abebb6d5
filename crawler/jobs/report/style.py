"""How the report looks: light and dark, wide and narrow, on paper too."""

STYLE = """
:root{color-scheme:light dark;--paper:#fbfbfa;--card:#fff;--ink:#1d2126;--soft:#5d6670;
--line:#e3e5e8;--fill:#2f6fd0;--wash:#e8effa;--good:#1a7f45;--goodwash:#e6f4ea;
--bad:#c0352b;--badwash:#fcebe9;--warn:#8f5a00;--warnwash:#fdf3dc}
@media(prefers-color-scheme:dark){:root{--paper:#14171a;--card:#1c2024;--ink:#e6e8ea;
--soft:#9aa3ad;--line:#30363c;--fill:#6ea4f4;--wash:#233248;--good:#5cc98a;
--goodwash:#17301f;--bad:#ff8579;--badwash:#3a1d1b;--warn:#e3b155;--warnwash:#352a12}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);line-height:1.5;
font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:60rem;margin:0 auto;padding:1.5rem 1rem 4rem}
h1{font-size:1.5rem;margin:0 0 .25rem;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:2.75rem 0 .75rem}
h3{font-size:.95rem;margin:1.75rem 0 .5rem;color:var(--soft);font-weight:600}
p{margin:.5rem 0}
.soft{color:var(--soft)}
.small{font-size:.875rem}
.meta{color:var(--soft);font-size:.9rem;overflow-wrap:anywhere}
.verdict{border-radius:.6rem;padding:1rem 1.15rem;margin:1.25rem 0;display:flex;
gap:.85rem;align-items:flex-start}
.verdict b{font-size:1.15rem;display:block}
.verdict .mark{font-size:1.35rem;line-height:1.3;font-weight:700}
.good{background:var(--goodwash)}.good .mark,.good b{color:var(--good)}
.bad{background:var(--badwash)}.bad .mark,.bad b{color:var(--bad)}
.warn{background:var(--warnwash)}.warn .mark,.warn b{color:var(--warn)}
.tiles{display:grid;gap:.6rem;grid-template-columns:repeat(auto-fit,minmax(8.5rem,1fr))}
.tile{background:var(--card);border:1px solid var(--line);border-radius:.6rem;
padding:.7rem .85rem}
.tile span{display:block;color:var(--soft);font-size:.85rem}
.tile b{font-size:1.45rem;font-weight:650;font-variant-numeric:tabular-nums}
.tile .off{color:var(--bad)}
.card{background:var(--card);border:1px solid var(--line);border-radius:.6rem;
padding:.85rem 1rem;margin:.6rem 0}
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);
border-radius:.6rem}
table{border-collapse:collapse;width:100%;font-size:.925rem}
th,td{padding:.45rem .85rem;text-align:left;vertical-align:top}
tr+tr td,thead+tbody td{border-top:1px solid var(--line)}
th{color:var(--soft);font-weight:600;font-size:.85rem;white-space:nowrap}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.up{color:var(--good)}.down{color:var(--bad)}
.url{overflow-wrap:anywhere;color:inherit;text-decoration-color:var(--line);
text-underline-offset:.2em}
a.url:hover{text-decoration-color:currentColor}
code{font:.875em/1.45 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;
overflow-wrap:anywhere}
.group{display:grid;grid-template-columns:auto 1fr;gap:.15rem .9rem;
align-items:baseline}
.group>b{font-size:1.15rem;font-variant-numeric:tabular-nums;color:var(--bad);
min-width:3.2rem;text-align:right}
.left>b{color:var(--soft)}
.group div{min-width:0}
.group .small{grid-column:2}
.chart{display:flex;align-items:flex-end;gap:1px;height:9rem;
border-bottom:1px solid var(--soft)}
.chart>i{flex:1 1 0;height:100%;display:flex;flex-direction:column;
justify-content:flex-end;min-width:0;max-width:3.5rem}
.chart u{display:block;background:var(--fill);text-decoration:none;
border-radius:1px 1px 0 0}
.chart u.f{background:var(--bad)}
.chart>i.gap{border-left:2px dashed var(--soft)}
.chart>i:hover{background:var(--wash)}
.axis{display:flex;justify-content:space-between;color:var(--soft);font-size:.8rem;
margin-top:.3rem;gap:.5rem}
.legend{display:flex;flex-wrap:wrap;gap:.25rem 1.1rem;color:var(--soft);
font-size:.85rem;margin:0 0 .75rem}
.legend i{display:inline-block;width:.7rem;height:.7rem;border-radius:2px;
background:var(--fill);margin-right:.35rem}
.legend i.f{background:var(--bad)}
.steps{height:7rem;gap:3px}.steps>i{max-width:none}
.labels{display:flex;gap:3px;color:var(--soft);font-size:.72rem;margin-top:.25rem}
.labels span{flex:1 1 0;text-align:center;min-width:0}
.bar{display:block;height:.55rem;border-radius:.3rem;background:var(--wash);
min-width:4rem;margin-top:.45rem;overflow:hidden}
.bar i{display:block;height:100%;background:var(--fill)}
.bar i.f{background:var(--bad)}
td.wide{width:40%}
footer{margin-top:3rem;color:var(--soft);font-size:.85rem}
@media(max-width:34rem){main{padding:1rem .75rem 3rem}th,td{padding:.4rem .6rem}
.tile b{font-size:1.25rem}.tiles{grid-template-columns:repeat(2,1fr)}
.labels{font-size:.62rem}td.wide{width:28%}.bar{min-width:2.5rem}}
@media print{body{background:#fff}.scroll{overflow:visible}}
"""
