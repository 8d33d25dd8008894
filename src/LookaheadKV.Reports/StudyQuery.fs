namespace LookaheadKV.Reports

open System
open System.Collections
open System.Data.Common
open System.Globalization
open DuckDB.NET.Data
open LookaheadKV
open LookaheadKV.Evaluation.Studies
open LookaheadKV.FSharp

/// What a query of a study's cells gave.
type QueryTable =
    {
        /// The columns' names.
        Columns: string list
        /// The rows: null, bool, int64, float or string; what is none of these is a string, a list its elements with blanks between.
        Rows: objnull list list
    }

/// Studies' cells in SQL, by DuckDB.
module StudyQuery =

    let rec private plain (value: objnull) : objnull =
        match value with
        | null
        | :? DBNull -> null
        | :? bool
        | :? int64
        | :? float
        | :? string -> value
        | :? int8
        | :? uint8
        | :? int16
        | :? uint16
        | :? int
        | :? uint32 -> Convert.ToInt64(value, CultureInfo.InvariantCulture) |> box
        | :? float32
        | :? decimal -> Convert.ToDouble(value, CultureInfo.InvariantCulture) |> box
        // Sums of whole numbers.
        | :? bigint as whole when bigint Int64.MinValue <= whole && whole <= bigint Int64.MaxValue -> int64 whole |> box
        | :? IList as list -> list |> Seq.cast<objnull> |> Seq.map text |> String.concat " " |> box
        | value -> Convert.ToString(value, CultureInfo.InvariantCulture)

    /// <summary>A value as text, in no country's way; "" for null.</summary>
    /// <param name="value">A value of a row.</param>
    and text (value: objnull) : string =
        Convert.ToString(plain value, CultureInfo.InvariantCulture)
        |> Option.ofObj
        |> Option.defaultValue ""

    let private quoted (text: string) = "'" + text.Replace("'", "''") + "'"

    /// A row a number. All of all files is read before types are chosen: a learning rate may be whole in the first hundred cells.
    let private createCells (files: string list) =
        $"""create table cells as
            select unnest(settings), seed, unnest(measurements::struct(policy varchar, budget varchar, task varchar, metric varchar, value double)[], recursive := true)
            from read_json([{files |> List.map quoted |> String.concat ", "}], sample_size = -1, maximum_sample_files = 1000000, union_by_name = true)"""

    let private oneLine (error: exn) =
        // Behind an empty line DuckDB draws the place, over several lines.
        let parts = error.Message.ReplaceLineEndings("\n").Split "\n\n"
        parts[0].ReplaceLineEndings " "

    /// <summary>Asks for something of a study's cells: those whose results are there, be it all or not.</summary>
    /// <param name="sql">
    /// A query in DuckDB's SQL. The table <c>cells</c> has a row a number: a column for each setting (<c>tokens</c>, <c>rank</c>, …),
    /// <c>seed</c>, <c>policy</c>, <c>budget</c>, <c>task</c>, <c>metric</c>, <c>value</c>.
    /// </param>
    /// <param name="folder">Where the results lie.</param>
    /// <param name="study">The study.</param>
    /// <exception cref="T:LookaheadKV.InputException">There is no result yet, one is broken, or DuckDB refuses the query.</exception>
    let run (sql: string) (folder: StudyFolder) (study: Study) =
        if String.IsNullOrWhiteSpace sql then
            raise (InputException "the query is empty; write SQL, such as: select * from cells.")

        let files =
            [
                for cell in study.Cells do
                    if folder.Has cell then
                        folder.FileOf cell
            ]

        if files.IsEmpty then
            raise (InputException $"no cell of the study {study.Name} has a result yet; run it first.")

        use connection = new DuckDBConnection "DataSource=:memory:"
        connection.Open()

        let command text =
            let command = connection.CreateCommand()
            command.CommandText <- text
            command

        try
            use create = command (createCells files)
            create.ExecuteNonQuery() |> ignore
            use query = command sql
            use reader = query.ExecuteReader()

            {
                Columns = [ for i in 0 .. reader.FieldCount - 1 -> reader.GetName i ]
                Rows =
                    [
                        while reader.Read() do
                            [ for i in 0 .. reader.FieldCount - 1 -> plain (reader.GetValue i) ]
                    ]
            }
        with :? DbException as error ->
            raise (InputException($"the query failed: {oneLine error}", error))

    /// <summary>Asks for something of the cells of a study that was run in float32: those in the folder beside its file.</summary>
    /// <param name="sql">A query of the table <c>cells</c>, as of <see cref="M:LookaheadKV.Reports.StudyQuery.run"/>.</param>
    /// <param name="file">The study's JSON file.</param>
    /// <exception cref="T:LookaheadKV.InputException">The study cannot be read, has no result yet, or DuckDB refuses the query.</exception>
    let ofFile (sql: string) (file: string) =
        let study = Study.Read file
        run sql (Studies.folderOf file study) study

    /// <summary>The table as lines of text.</summary>
    /// <param name="table">What a query gave.</param>
    let show (table: QueryTable) =
        Show.table table.Columns (table.Rows |> List.map (List.map text))
