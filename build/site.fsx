(*
Builds the documentation site, artifacts/site: every page of docs/, the README, the notebooks with their committed outputs, the API reference.

    dotnet tool restore
    dotnet build LookaheadKV.sln -c Release
    dotnet fsi build/site.fsx             open artifacts/site/index.html; it needs no server and no network
    dotnet fsi build/check-site.fsx       holds the built site to its rules

The texts are written for the repository, where links name files. Here they become pages of fsdocs: a copy of each with its links turned
goes to .site/, fsdocs makes pages of the copies, and what it leaves to a server (absolute links) or cannot do (pictures in outputs) is done after it.
*)
#load "site-api.fsx"
#load "site-docs.fsx"
#load "site-pages.fsx"
#load "site-stage.fsx"

open System
open System.Diagnostics
open System.IO
open System.Text.RegularExpressions
open SitePages
open SiteStage

/// Stands for the way to the site's root in what fsdocs writes.
let rootMark = "SITE-ROOT/"

let runFsdocs () =
    let arguments =
        [
            "fsdocs"
            "build"
            "--input"
            ".site"
            "--output"
            "artifacts/site"
            "--nodefaultcontent"
            "--projects"
            yield! libraries |> List.map (fun name -> $"src/{name}/{name}.csproj")
            "src/LookaheadKV.FSharp/LookaheadKV.FSharp.fsproj"
            "src/LookaheadKV.Reports/LookaheadKV.Reports.fsproj"
            "--properties"
            "Configuration=Release"
            "FsDocsGenerateLlmsTxt=false"
            $"ApiReference={apiFolder}"
            "--parameters"
            "root"
            rootMark
            "fsdocs-collection-name"
            "LookaheadKV"
        ]

    let start =
        ProcessStartInfo("dotnet", arguments, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = root)

    use fsdocs = Process.Start start |> nonNull
    let errors = fsdocs.StandardError.ReadToEndAsync()
    let log = fsdocs.StandardOutput.ReadToEnd() + errors.Result
    fsdocs.WaitForExit()
    File.WriteAllText(under "artifacts/site.log", log)

    // Types of names in excerpts cannot always be found; a member that is missing from the reference is another matter.
    let missing =
        log.Split '\n' |> Array.filter (fun line -> line.StartsWith("Could not", StringComparison.Ordinal))

    if fsdocs.ExitCode <> 0 || missing.Length > 0 then
        for line in missing do
            eprintfn $"{line}"

        fail $"fsdocs did not make all pages (exit code {fsdocs.ExitCode}); its messages are in artifacts/site.log."

// ---- After fsdocs ----------------------------------------------------------------------------------------------------------------------

/// What compilers add to records, where nobody has said anything of it: rows of the reference that only hide the others.
let generated =
    Regex(
        "<a id=\"(Equals|GetHashCode|ToString|Deconstruct|CompareTo|``&lt;Clone&gt;\\$``|``<Clone>\\$``|\\(&lt;&gt;\\)|\\(<>\\)|\\(=\\))\">"
    )

let withoutGenerated (text: string) =
    Regex.Replace(
        text,
        "<tr>.*?</tr>\\s*",
        (fun (row: Match) ->
            if generated.IsMatch row.Value && not (row.Value.Contains "fsdocs-summary") then
                ""
            else
                row.Value),
        RegexOptions.Singleline
    )

/// Headings are named as fsdocs names them; a link of the repository names them as its host does: compare letters and digits.
let bare (text: string) =
    Regex.Replace(text.ToLowerInvariant(), "[^a-z0-9]", "")

let finished (target: string) (html: string) =
    let isReference = target.StartsWith("reference/", StringComparison.Ordinal)
    let isNotebookPage = target.StartsWith("notebooks/", StringComparison.Ordinal)
    let depth = target |> Seq.filter ((=) '/') |> Seq.length
    let toRoot = String.replicate depth "../"

    let replace (pattern: string) (by: string) (text: string) =
        Regex.Replace(text, pattern, by, RegexOptions.Singleline)

    let withoutTips text =
        // Excerpts are no whole scripts: fsdocs guesses their types wrongly.
        if isReference || isNotebookPage then
            text
        else
            text
            |> replace "<div popover class=\"fsdocs-tip\".*?</div>\n?" ""
            |> replace " data-fsdocs-tip=\"[^\"]*\" data-fsdocs-tip-unique=\"[^\"]*\"" ""

    /// Doc comments under the pointer come with their tags.
    let withoutTags text =
        let plain (comment: Match) =
            comment.Value |> replace "&lt;/?[a-z].*?&gt;" "" |> replace @"\s*\n\s*" " "

        Regex.Replace(
            text,
            "<div popover class=\"fsdocs-tip\".*?</div>",
            (fun (tip: Match) -> Regex.Replace(tip.Value, "<em>.*?</em>", plain, RegexOptions.Singleline)),
            RegexOptions.Singleline
        )

    let withOutputs text =
        Regex.Replace(text, @"(<p>\s*)*(OUTPUT-[^<>\s]+?-\d+\.)(\s*</p>)*", fun (found: Match) -> outputs[found.Groups[2].Value])

    html
    |> replace "<div class=\"icon-button-row\">(\\s*<div class=\"fsdocs-source-link\".*?</div>)*\\s*</div>" ""
    |> replace "<fsdocs-details-toggle></fsdocs-details-toggle>" ""
    // fsdocs takes every foreign type for one of Microsoft's.
    |> replace "<a href=\"https://learn.microsoft.com/dotnet/api/(?!system\\.|microsoft\\.)[^\"]*\">(.*?)</a>" "$1"
    |> replace "<details>" "<details open>"
    // Numbers with their intervals stay on one line.
    |> replace "<td([^>]*)><p>([-−]?[0-9.][^<]{0,27})</p></td>" "<td class=\"short\"$1><p>$2</p></td>"
    |> withoutTips
    |> withoutTags
    |> (if isReference then withoutGenerated else id)
    |> withOutputs
    |> fun text -> text.Replace(rootMark, toRoot)

/// Anchors of a page.
let anchors = Regex("<a name=\"([^\"]+)\"")

let finish () =
    let files =
        Directory.GetFiles(site, "*.html", SearchOption.AllDirectories)
        |> Array.map (fun path -> path, Path.GetRelativePath(site, path).Replace('\\', '/'))

    let texts =
        dict [ for path, target in files -> target, finished target (File.ReadAllText path) ]

    let names =
        dict
            [
                for text in texts ->
                    text.Key,
                    dict
                        [
                            for anchor in anchors.Matches text.Value |> Seq.distinctBy (fun a -> bare a.Groups[1].Value) ->
                                bare anchor.Groups[1].Value, anchor.Groups[1].Value
                        ]
            ]

    let leadsTo (target: string) (link: string) =
        if link = "" then
            target
        else
            Path.GetRelativePath("/", Path.GetFullPath(Path.Combine("/" + folderOf target, link))).Replace('\\', '/')

    // The reference's links to types that have no page, being internal, become their names.
    let withoutDeadTypes (target: string) text =
        Regex.Replace(
            text,
            "<a href=\"([^\"#:]*reference/[^\"#:]*)\">(.*?)</a>",
            (fun (found: Match) ->
                if texts.ContainsKey(leadsTo target found.Groups[1].Value) then
                    found.Value
                else
                    found.Groups[2].Value),
            RegexOptions.Singleline
        )

    let withAnchors (target: string) text =
        Regex.Replace(
            text,
            "href=\"([^\":#]*)#([^\"]+)\"",
            fun (found: Match) ->
                let page, anchor = found.Groups[1].Value, found.Groups[2].Value

                match names.TryGetValue(leadsTo target page) with
                | true, known when known.ContainsKey(bare anchor) -> $"href=\"{page}#{known[bare anchor]}\""
                | _ -> found.Value
        )

    for path, target in files do
        let text = texts[target] |> withoutDeadTypes target |> withAnchors target
        File.WriteAllText(path, text)

    // By-products of fsdocs that nothing here reads: Markdown twins of the pages and the index of its own search.
    for path in Directory.GetFiles(site, "*.md", SearchOption.AllDirectories) do
        File.Delete path

    for name in [ "index.json"; "llms.txt"; "llms-full.txt" ] do
        File.Delete(Path.Combine(site, name))

    for file in carried do
        let target = Path.Combine(site, file.Value)
        Directory.CreateDirectory(Path.GetDirectoryName target |> nonNull) |> ignore
        File.Copy(under file.Key, target, true)

    files.Length

let remove (folder: string) =
    if Directory.Exists folder then
        Directory.Delete(folder, true)

let build () =
    let clock = Stopwatch.StartNew()

    let built =
        libraries |> List.map (fun name -> Path.Combine(releases, $"{name}/release/{name}.dll"))

    if not (List.forall File.Exists built) then
        fail "the libraries are not built; run dotnet build LookaheadKV.sln -c Release first."

    for folder in [ staged; site; apiFolder; under ".fsdocs" ] do
        remove folder

    Directory.CreateDirectory site |> ignore

    for library in built do
        let name = Path.GetFileNameWithoutExtension library
        SiteApi.copy library apiFolder
        // Beside the command stands every assembly that the libraries refer to.
        SiteDocs.inheritInto (Path.Combine(apiFolder, $"{name}.xml")) (Path.Combine(releases, $"LookaheadKV.Cli/release/{name}.dll"))

    for page in pages do
        if isNotebook page.Source then
            stageNotebook page
        else
            stageText page

    listed |> List.iter stageList
    File.Copy(under "docs/_template.html", Path.Combine(staged, "_template.html"))
    runFsdocs ()
    let count = finish ()

    for folder in [ staged; under ".fsdocs" ] do
        remove folder

    printfn $"artifacts/site: {count} pages, {clock.Elapsed.TotalSeconds:F0} s; open artifacts/site/index.html"

build ()
