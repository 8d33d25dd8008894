(*
Writes the pages as fsdocs reads them: documents with their links turned, notebooks with their outputs, lists of files.
*)
module SiteStage

open System
open System.IO
open System.Net
open System.Text.Json.Nodes
open System.Text.RegularExpressions
open SitePages

let stage (target: string) (content: string) =
    let path = Path.Combine(staged, target)
    Directory.CreateDirectory(Path.GetDirectoryName path |> nonNull) |> ignore
    File.WriteAllText(path, content)

let heading (page: Page) (text: string) =
    match Regex.Match(text, @"^# (.+)$", RegexOptions.Multiline) with
    | found when found.Success -> found.Groups[1].Value.Trim().Replace("`", "").Replace("*", "")
    | _ -> fail $"{page.Source} has no heading; start it with \"# …\"."

let frontMatter (page: Page) (title: string) =
    let shelf = List.findIndex ((=) page.Shelf) shelves
    let index = List.findIndex ((=) page) pages
    $"---\ntitle: {title}\ncategory: {page.Shelf}\ncategoryindex: {shelf + 1}\nindex: {index + 1}\n---\n"

let stageText (page: Page) =
    let text = File.ReadAllText(under page.Source)

    let title =
        if page.Source = "README.md" then
            "README"
        else
            heading page text // its heading is the front page's

    stage (Path.ChangeExtension(page.Target, ".md")) (frontMatter page title + "\n" + translated page text)

let joined (node: JsonNode | null) =
    match node with
    | :? JsonArray as lines -> lines |> Seq.map string |> String.concat ""
    | node -> string node

/// What is put where an output's placeholder stands.
let outputs = Collections.Generic.Dictionary<string, string>()

/// Pictures are files of their own: their ids cannot meet, and fsdocs does not read them as Markdown.
let shown (page: Page) (number: int) (data: JsonObject) =
    let name =
        (if data.ContainsKey "text/plain" then
             joined data["text/plain"]
         else
             "figure")
            .Trim('(', ')', ' ', '\n')

    let picture (extension: string) (write: string -> unit) =
        let file = Path.ChangeExtension(page.Target, null) + $"-{number}{extension}"
        Directory.CreateDirectory(Path.Combine(site, folderOf file)) |> ignore
        write (Path.Combine(site, file))
        $"""<div class="figure" id="output-{number}"><img src="{Path.GetFileName file}" alt="{WebUtility.HtmlEncode name}"></div>"""

    if data.ContainsKey "image/svg+xml" then
        picture ".svg" (fun path -> File.WriteAllText(path, joined data["image/svg+xml"]))
    elif data.ContainsKey "image/png" then
        picture ".png" (fun path -> File.WriteAllBytes(path, Convert.FromBase64String((joined data["image/png"]).Trim())))
    elif data.ContainsKey "text/html" then
        let html = joined data["text/html"]
        $"<div class=\"figure\">{html}</div>"
    elif data.ContainsKey "text/plain" then
        let text = joined data["text/plain"] |> WebUtility.HtmlEncode
        $"<table class=\"pre output\"><tr><td><pre><code>{text}</code></pre></td></tr></table>"
    else
        fail $"{page.Source}: an output is none of image/svg+xml, image/png, text/html, text/plain."

let stageNotebook (page: Page) =
    let notebook = JsonNode.Parse(File.ReadAllText(under page.Source)) |> nonNull

    let cells =
        (notebook["cells"] |> nonNull).AsArray() |> Seq.map nonNull |> Array.ofSeq

    let isText (cell: JsonNode) = string cell["cell_type"] = "markdown"
    let mutable number = 0

    for cell in cells do
        if isText cell then
            cell["source"] <- JsonArray(JsonValue.Create(translated page (joined cell["source"])))
        else
            for output in (cell["outputs"] |> nonNull).AsArray() do
                let output = nonNull output
                let key = $"OUTPUT-{Path.GetFileNameWithoutExtension page.Source}-{number}."
                number <- number + 1

                outputs[key] <-
                    match string output["output_type"] with
                    | "display_data"
                    | "execute_result" -> shown page number ((output["data"] |> nonNull).AsObject())
                    | "stream" ->
                        let text = (joined output["text"]).TrimEnd() |> WebUtility.HtmlEncode
                        $"<table class=\"pre output\"><tr><td><pre><code>{text}</code></pre></td></tr></table>"
                    | other -> fail $"{page.Source}: an output of the kind {other}; run dotnet fsi build/notebooks.fsx."

                let data = JsonObject()
                data["text/html"] <- JsonArray(JsonValue.Create $"<p>{key}</p>")
                output["data"] <- data
                output["output_type"] <- "display_data"
                output.AsObject().Remove "text" |> ignore

    let first = cells |> Array.find isText
    let name = Path.GetFileNameWithoutExtension page.Source
    let text = joined first["source"]
    let title = (heading page text).Split(':')[0]
    let hasScript = File.Exists(under (Path.ChangeExtension(page.Source, ".fsx")))

    let files =
        $"*[{name}.ipynb]({name}.ipynb)" + (if hasScript then $" · [{name}.fsx]({name}.fsx)*" else "*")

    first["source"] <- JsonArray(JsonValue.Create(Regex(@"^# .+$", RegexOptions.Multiline).Replace(text, "$0\n\n" + files, 1)))

    // fsdocs reads a page's place from the first cell.
    let place = JsonObject()
    place["cell_type"] <- "markdown"
    place["metadata"] <- JsonObject()

    place["source"] <-
        JsonArray(
            JsonValue.Create(
                frontMatter
                    page
                    (if hasScript then
                         $"{name.Substring(0, 2)} · {title}"
                     else
                         $"{title} ({name})")
            )
        )

    (notebook["cells"] |> nonNull).AsArray().Insert(0, place)
    stage (Path.ChangeExtension(page.Target, ".ipynb")) (notebook.ToJsonString())

let stageList (folder: string, target: string) =
    let files =
        [
            for file in carried do
                if folderOf file.Key = folder then
                    let name = Path.GetFileName file.Key
                    $"* [{name}]({name})"
        ]

    let title = $"Files in {folder}"
    stage $"{target}/index.md" (String.concat "\n" ($"---\ntitle: {title}\n---\n\n# {title}\n" :: files))

// ---- fsdocs ----------------------------------------------------------------------------------------------------------------------------
