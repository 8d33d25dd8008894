(*
A copy of an assembly for fsdocs, which fails on two things that C# compilers write and leaves such members out: the attribute of iterators
(its argument is a private type) and delegates. In the copy the attribute says CompilerGenerated, and a delegate is a class with the one method Invoke.
*)
module SiteApi

open System
open System.IO
open System.Reflection
open System.Reflection.Metadata
open System.Reflection.Metadata.Ecma335
open System.Reflection.PortableExecutable

let private attributeName (metadata: MetadataReader) (attribute: CustomAttribute) =
    if attribute.Constructor.Kind = HandleKind.MemberReference then
        let constructor =
            metadata.GetMemberReference(MemberReferenceHandle.op_Explicit attribute.Constructor)

        if constructor.Parent.Kind = HandleKind.TypeReference then
            metadata.GetString(metadata.GetTypeReference(TypeReferenceHandle.op_Explicit constructor.Parent).Name)
        else
            ""
    else
        ""

/// Copies an assembly and its XML file into a folder, changed as said above.
let copy (assembly: string) (folder: string) =
    let bytes = File.ReadAllBytes assembly
    use file = new PEReader(new MemoryStream(bytes))
    let metadata = file.GetMetadataReader()
    let start = file.PEHeaders.MetadataStartOffset

    let row (table: TableIndex) (handle: EntityHandle) =
        let size = metadata.GetTableRowSize table
        start + metadata.GetTableMetadataOffset table + (MetadataTokens.GetRowNumber handle - 1) * size, size

    let rowOf (attribute: CustomAttributeHandle) =
        row TableIndex.CustomAttribute (CustomAttributeHandle.op_Implicit attribute)

    // A row of CustomAttribute is Parent, Type, Value; rows are sorted by Parent, which stays.
    let attributes =
        [
            for handle in metadata.CustomAttributes -> handle, metadata.GetCustomAttribute handle |> attributeName metadata
        ]

    let plain, size =
        attributes |> List.find (fun (_, name) -> name = "CompilerGeneratedAttribute") |> fst |> rowOf

    let parentSize =
        // HasCustomAttribute has 5 tag bits: 2 bytes while no table has 2^11 rows or more.
        let most =
            Enum.GetValues<TableIndex>()
            |> Seq.filter (fun table -> table < TableIndex.Document && table <> TableIndex.CustomAttribute)
            |> Seq.map metadata.GetTableRowCount
            |> Seq.max

        if most < (1 <<< 11) then 2 else 4

    for handle, name in attributes do
        if name.EndsWith("IteratorStateMachineAttribute", StringComparison.Ordinal) then
            let place, _ = rowOf handle
            Array.blit bytes (plain + parentSize) bytes (place + parentSize) (size - parentSize)

    // A row of TypeDef is Flags (4), Name, Namespace, Extends, …; one of MethodDef is RVA (4), ImplFlags (2), Flags (2), …
    let types =
        [
            for handle in metadata.TypeDefinitions -> handle, metadata.GetTypeDefinition handle
        ]

    let baseName (definition: TypeDefinition) =
        if definition.BaseType.Kind = HandleKind.TypeReference then
            metadata.GetString(metadata.GetTypeReference(TypeReferenceHandle.op_Explicit definition.BaseType).Name)
        else
            ""

    let extends (handle: TypeDefinitionHandle) =
        let place, _ = row TableIndex.TypeDef (TypeDefinitionHandle.op_Implicit handle)

        let index =
            if metadata.GetHeapSize HeapIndex.String < (1 <<< 16) then
                2
            else
                4

        place + 4 + 2 * index

    let extendsSize =
        // TypeDefOrRef has 2 tag bits.
        let most =
            [ TableIndex.TypeDef; TableIndex.TypeRef; TableIndex.TypeSpec ]
            |> Seq.map metadata.GetTableRowCount
            |> Seq.max

        if most < (1 <<< 14) then 2 else 4

    let object =
        types |> List.find (fun (_, definition) -> baseName definition = "Object") |> fst |> extends

    for handle, definition in types do
        if baseName definition = "MulticastDelegate" then
            Array.blit bytes object bytes (extends handle) extendsSize

            for methodHandle in definition.GetMethods() do
                let called = metadata.GetMethodDefinition methodHandle

                if metadata.GetString called.Name <> "Invoke" then
                    let place, _ =
                        row TableIndex.MethodDef (MethodDefinitionHandle.op_Implicit methodHandle)

                    let hidden =
                        called.Attributes &&& ~~~MethodAttributes.MemberAccessMask ||| MethodAttributes.Private

                    BitConverter.TryWriteBytes(Span<byte>(bytes, place + 6, 2), uint16 hidden) |> ignore

    Directory.CreateDirectory folder |> ignore
    File.WriteAllBytes(Path.Combine(folder, Path.GetFileName assembly), bytes)
    let docs = Path.ChangeExtension(assembly, ".xml")
    File.Copy(docs, Path.Combine(folder, Path.GetFileName docs), true)
