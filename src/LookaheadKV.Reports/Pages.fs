namespace LookaheadKV.Reports

open System
open System.Globalization
open System.IO
open LookaheadKV
open LookaheadKV.Files
open LookaheadKV.Evaluation
open LookaheadKV.FSharp

/// What reports share: pages that work offline, of sections, with what made them at the end.
module internal Pages =

    let private style =
        "body{font:15px/1.5 system-ui,sans-serif;color:#222;max-width:1240px;margin:0 auto;padding:16px 24px}h1{margin-bottom:0}nav a{margin-right:14px}\n"
        + "table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:13px}th,td{padding:3px 8px;text-align:right;white-space:nowrap;border-bottom:1px solid #e5e5e5}\n"
        + "th{position:sticky;top:0;background:#fff}td:first-child,td:nth-child(2),th:first-child,th:nth-child(2){text-align:left}tr.first td{border-top:2px solid #999}\n"
        + "td small{color:#666}.scroll{overflow-x:auto}.figure{width:100%}.warn{border:2px solid #D55E00;padding:8px 14px}dt{font-weight:600}dd{margin:0 0 6px 0}dd code{overflow-wrap:anywhere}\n"
        + "section{margin-top:28px}"

    /// <summary>A number in a format, in no country's way.</summary>
    let number (format: string) (value: float) =
        value.ToString(format, CultureInfo.InvariantCulture)

    let private section (id, title, body) =
        $"<section id=\"{id}\"><h2>{Html.escape title}</h2>\n{body}\n</section>\n"

    let private provenance (run: RunInfo) =
        let entry name (value: string | null) =
            match value with
            | null -> ""
            | text -> $"<dt>{name}</dt><dd><code>{Html.escape text}</code></dd>"

        "<dl>"
        + entry "command" run.Command
        + entry "version" run.Version
        + entry "commit" run.Commit
        + entry "model" run.Model
        + entry "device" run.Device
        + entry "dtype" run.DType
        + entry "seed" (string run.Seed)
        + "</dl>"

    /// <summary>A page of sections, with links to them.</summary>
    /// <param name="title">Its title.</param>
    /// <param name="css">CSS beside the common one.</param>
    /// <param name="run">What made the results.</param>
    /// <param name="sections">The id, title and HTML of each.</param>
    let document (title: string) (css: string) (run: RunInfo) (sections: (string * string * string) list) =
        let all = sections @ [ "run", "How it was made", provenance run ]

        let links =
            all
            |> List.map (fun (id, title, _) -> $"<a href=\"#{id}\">{Html.escape title}</a>")
            |> String.concat ""

        Html.page
            title
            (style + css)
            $"<h1>{Html.escape title}</h1>\n<nav>{links}</nav>\n{all |> List.map section |> String.concat String.Empty}"

    /// <summary>Writes a page as <c>index.html</c> in a folder that is made if it is not there, whole or not at all.</summary>
    /// <param name="folder">Where to.</param>
    /// <param name="page">The page.</param>
    /// <returns>The file's path.</returns>
    /// <exception cref="T:LookaheadKV.InputException">The folder cannot be written.</exception>
    let write (folder: string) (page: string) =
        try
            Directory.CreateDirectory folder |> ignore
        with
        | :? IOException
        | :? UnauthorizedAccessException as error ->
            let reason = error.Message.ReplaceLineEndings " "
            raise (InputException($"cannot write the report into {folder} ({reason}); name a folder that can be written.", error))

        let path = Path.Combine(folder, "index.html")
        AtomicFile.WriteText(path, page)
        path
