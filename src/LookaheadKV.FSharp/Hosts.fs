namespace LookaheadKV.FSharp

open System
open System.IO
open System.Reflection

/// What a script or notebook runs in, found by name: this library refers to neither .NET Interactive nor F# Interactive.
module internal Hosts =

    let private find (name: string) =
        AppDomain.CurrentDomain.GetAssemblies()
        |> Seq.tryPick (fun assembly -> assembly.GetType name |> Option.ofObj)

    let private valueOf (property: string) (owner: Type) =
        owner.GetProperty property
        |> Option.ofObj
        |> Option.bind (fun found -> found.GetValue null |> Option.ofObj)

    /// A static method of a type by the parameters that it begins with. Versions of .NET Interactive differ in what may follow them.
    let private method (name: string) (first: Type list) (owner: Type) =
        let fits (found: MethodInfo) =
            let own = [ for parameter in found.GetParameters() -> parameter.ParameterType ]

            found.Name = name
            && not found.IsGenericMethod
            && own.Length >= first.Length
            && List.take first.Length own = first

        owner.GetMethods(BindingFlags.Public ||| BindingFlags.Static) |> Array.tryFind fits

    let private call (found: MethodInfo) (arguments: obj list) =
        let rest (parameter: ParameterInfo) : obj | null =
            if parameter.HasDefaultValue then
                parameter.DefaultValue
            else
                Array.CreateInstance(parameter.ParameterType.GetElementType() |> nonNull, 0)

        found.Invoke(
            null,
            [|
                for argument in arguments -> (argument: obj | null)
                for parameter in found.GetParameters() |> Seq.skip arguments.Length -> rest parameter
            |]
        )
        |> ignore

    /// How .NET Interactive shows HTML below the cell that runs; None outside of it.
    let display () =
        match
            find "Microsoft.DotNet.Interactive.KernelInvocationContext",
            find "Microsoft.DotNet.Interactive.KernelInvocationContextExtensions"
        with
        | Some context, Some extensions ->
            let show =
                extensions |> method "DisplayAs" [ context; typeof<string>; typeof<string> ]

            Option.map2
                (fun current show -> fun (html: string) -> call show [ current; html; "text/html" ])
                (valueOf "Current" context)
                show
        | _ -> None

    /// How .NET Interactive formats values of a type with which a cell ends; None outside of it.
    let formatter () =
        find "Microsoft.DotNet.Interactive.Formatting.Formatter"
        |> Option.bind (method "Register" [ typeof<Type>; typeof<Action<obj, TextWriter>>; typeof<string> ])
        |> Option.map (fun register ->
            fun (kind: Type) (mime: string) (text: obj -> string) ->
                call
                    register
                    [
                        kind
                        Action<obj, TextWriter>(fun value writer -> writer.Write(text value))
                        mime
                    ])

    /// How F# Interactive prints values of a type; does nothing outside of it.
    let print<'T> (text: 'T -> string) =
        match find "FSharp.Compiler.Interactive.Settings" |> Option.bind (valueOf "fsi") with
        | Some session ->
            session.GetType().GetMethod "AddPrinter"
            |> Option.ofObj
            |> Option.iter (fun add -> add.MakeGenericMethod(typeof<'T>).Invoke(session, [| box text |]) |> ignore)
        | None -> ()
