namespace LookaheadKV.Reports

open System
open LookaheadKV.Eviction
open LookaheadKV.Methods

/// What documents say of methods, made of their descriptors.
module MethodPages =

    /// Where the README's table begins, and where it ends.
    let private marks =
        "<!-- methods: dotnet fsi build/methods.fsx -->", "<!-- /methods -->"

    let private row cells = "| " + String.concat " | " cells + " |"

    let private table columns rows =
        row columns :: row [ for _ in columns -> "---" ] :: List.map row rows

    let private code text = $"`{text}`"

    let private sentence (text: string) =
        string (Char.ToUpperInvariant text[0]) + text[1..] + "."

    let private arXiv (paper: Paper) =
        $"[arXiv {paper.ArXiv}](https://arxiv.org/abs/{paper.ArXiv})"

    /// The README's table: a line a method.
    let summary () =
        Catalogue.Methods
        |> Seq.toList
        |> List.map (fun method ->
            let paper =
                match method.Paper with
                | null -> ""
                | paper -> $"{paper.Authors} {paper.Year}, {arXiv paper}"

            [ code method.Name; method.Keeps; paper ])
        |> table [ "name"; "keeps"; "paper" ]
        |> String.concat "\n"

    /// <summary>The README with its table as the catalogue has it.</summary>
    /// <param name="readme">Its text, the table between two marks.</param>
    let inReadme (readme: string) =
        let first, last = marks
        let start = readme.IndexOf(first, StringComparison.Ordinal) + first.Length
        let stop = readme.IndexOf(last, StringComparison.Ordinal)

        if start < first.Length || stop < start then
            failwith $"the README has no table between {first} and {last}"

        readme[.. start - 1] + "\n\n" + summary () + "\n\n" + readme[stop..]

    // What a method's recipe has that others have not, as it would be written.
    let private defaults (method: Method) =
        let plain = EvictionPolicy(Name = method.Name)

        [
            for modifier in method.Modifiers do
                if modifier.Shown.Invoke method.Defaults <> modifier.Shown.Invoke plain then
                    code $"{modifier.Name}={modifier.Shown.Invoke method.Defaults}"
        ]

    let private facts (method: Method) =
        [
            match method.Paper with
            | null -> ()
            | paper -> $"Paper: {paper.Authors}, *{paper.Title}*, {paper.Year}, {arXiv paper}."

            if not (isNull method.Scorer) then
                match Seq.toList (method.Needs.InWords()) with
                | [] -> "Reads keys and values alone."
                | needs -> $"""Needs {String.Join(", ", needs)}."""

            if method.Prefills > 1 then
                $"Costs {method.Prefills} prefills."

            match defaults method with
            | [] -> ()
            | changed -> $"""Defaults: {String.Join(", ", changed)}."""

            for parameter in method.Parameters do
                $"{code parameter.Name}: {parameter.Help}; {parameter.Allowed} (default {parameter.DefaultText})."
        ]

    let private section (method: Method) =
        [
            $"## {method.Name}"
            ""
            sentence $"keeps {method.Keeps}"
            ""
            match facts method with
            | [] -> ()
            | facts ->
                yield! facts |> List.map (fun fact -> $"* {fact}")
                ""
        ]

    /// The page of all methods.
    let document () =
        [
            "# Methods\n"
            "Made by `dotnet fsi build/methods.fsx` from the descriptors in `src/LookaheadKV/Methods`; formulas stand in the headers of the same files. How a method is added:"
            "[add a method](add-a-method.md).\n"
            $"A policy is written as a method's name and, in brackets, what differs from its defaults: `{SnapKV.Method.Name}[window=16,pool=max:7]`. A list of policies has commas between them;"
            "`all` is every method. In C# `PolicyText.Parse(text).Build(parts)`, in F# `Policy.from text`. A budget comes beside it.\n"
            "## Options that go with every scorer\n"
            yield!
                [
                    for modifier in Modifier.All -> [ code modifier.Name; modifier.Allowed; modifier.Help ]
                ]
                |> table [ "option"; "values"; "what" ]
            ""
            for method in Catalogue.Methods do
                yield! section method
        ]
        |> String.concat "\n"
        |> fun text -> text.TrimEnd('\n') + "\n"
