(*
The doc comments of an assembly for fsdocs, which knows nothing of <inheritdoc/>: in the copy an inherited comment stands where it is inherited.
*)
module SiteDocs

open System
open System.Reflection
open System.Xml.Linq

/// A type's name as doc comments write it.
let private nameOf (kind: Type) =
    kind.FullName |> Option.ofObj |> Option.map _.Replace('+', '.') |> Option.defaultValue ""

/// What a type inherits from: interfaces, then classes, nearest first.
let private ancestors (kind: Type) =
    let classes =
        kind
        |> List.unfold (fun kind -> kind.BaseType |> Option.ofObj |> Option.map (fun above -> above, above))

    List.ofArray (kind.GetInterfaces()) @ classes

/// Writes the inherited comments into an XML file of doc comments.
let inheritInto (docs: string) (assembly: string) =
    let file = XDocument.Load docs
    let named = XName.Get "name"

    let isInherited (comment: XElement) =
        comment.Element(XName.Get "inheritdoc") |> isNull |> not

    let comments =
        dict
            [
                for comment in file.Descendants(XName.Get "member") -> (comment.Attribute named |> nonNull).Value, comment
            ]

    let types =
        [ for kind in Assembly.LoadFrom(assembly).GetTypes() -> nameOf kind, kind ]

    /// "M:", the type's name and what follows it, the longest name that fits.
    let parts (id: string) =
        types
        |> List.filter (fun (name, _) -> name <> "" && id.Substring(2).StartsWith(name + ".", StringComparison.Ordinal))
        |> List.sortByDescending (fun (name, _) -> name.Length)
        |> List.tryHead
        |> Option.map (fun (name, kind) -> kind, id.Substring(2 + name.Length))

    for entry in comments do
        if isInherited entry.Value then
            let source =
                parts entry.Key
                |> Option.bind (fun (kind, rest) ->
                    ancestors kind
                    |> List.tryPick (fun above ->
                        match comments.TryGetValue(entry.Key.Substring(0, 2) + nameOf above + rest) with
                        | true, found when not (isInherited found) -> Some found
                        | _ -> None))

            source |> Option.iter (fun source -> entry.Value.ReplaceNodes(source.Nodes()))

    file.Save docs
