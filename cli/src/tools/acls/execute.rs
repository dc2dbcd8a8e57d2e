//! Carries a plan out, telling what is done as it is done.

use std::io::{self, BufRead as _, Write as _};

use ottla_client::admin::{
    AclBinding, AclEntry, AclFilter, Admin, ResourceFilter, ResourcePattern,
};

use super::Ended;
use super::plan::Plan;
use super::render;
use super::thrown::Thrown;
use crate::context::Context;
use crate::output::{Format, Report};

pub(super) struct Run<'a> {
    pub(super) admin: &'a Admin,
    pub(super) format: Format,
    pub(super) force: bool,
    pub(super) cx: &'a mut Context,
}

impl Run<'_> {
    pub(super) async fn execute(&mut self, plan: &Plan) -> Result<(), Ended> {
        match plan {
            Plan::Add(resources) => self.add(resources).await,
            Plan::Remove(resources) => self.remove(resources).await,
            Plan::List {
                filters,
                principals,
            } => self.list(filters, principals).await,
        }
    }

    async fn add(&mut self, resources: &[(ResourcePattern, Vec<AclEntry>)]) -> Result<(), Ended> {
        let (mut added, mut existing) = (Vec::new(), Vec::new());
        for (resource, entries) in resources {
            let present = self.describe(resource.clone().into()).await?;
            let binding = |entry: &AclEntry| AclBinding {
                resource: resource.clone(),
                entry: entry.clone(),
            };
            let (old, new): (Vec<AclBinding>, Vec<AclBinding>) = entries
                .iter()
                .map(binding)
                .partition(|acl| present.contains(acl));
            self.tell(&render::existing(&old))?;
            if !new.is_empty() {
                self.tell(&render::adding(&new))?;
                let created = self.admin.create_acls(&new).await;
                for outcome in created.map_err(Thrown::call("createAcls"))? {
                    outcome.map_err(Thrown::refused)?;
                }
            }
            existing.extend(old);
            added.extend(new);
        }
        self.tell_data(render::added(&added, &existing))
    }

    async fn remove(&mut self, resources: &[(ResourceFilter, Vec<AclEntry>)]) -> Result<(), Ended> {
        let mut removed = Vec::new();
        for (resource, entries) in resources {
            if !self.force && !self.is_confirmed(&render::question(resource, entries))? {
                continue;
            }
            let filter = |entry: Option<&AclEntry>| AclFilter {
                resource: resource.clone(),
                entry: entry.cloned(),
            };
            let filters: Vec<AclFilter> = match entries.as_slice() {
                [] => vec![filter(None)],
                entries => entries.iter().map(|entry| filter(Some(entry))).collect(),
            };
            let deleted = self.admin.delete_acls(&filters).await;
            for outcome in deleted.map_err(Thrown::call("deleteAcls"))? {
                removed.extend(outcome.map_err(Thrown::refused)?);
            }
        }
        removed.sort();
        self.tell_data(render::removed(&removed))
    }

    async fn list(
        &mut self,
        filters: &[ResourceFilter],
        principals: &[String],
    ) -> Result<(), Ended> {
        let mut acls = Vec::new();
        match filters {
            [] => acls = self.describe(ResourceFilter::ANY).await?,
            filters => {
                for filter in filters {
                    acls.extend(self.describe(filter.clone()).await?);
                }
            }
        }
        acls.sort();
        acls.dedup();
        if principals.is_empty() {
            self.tell(&render::current(&acls))?;
        }
        let all = acls.clone();
        if !principals.is_empty() {
            acls.retain(|acl| principals.contains(&acl.entry.principal));
        }
        for principal in principals {
            let own = all.iter().filter(|acl| acl.entry.principal == *principal);
            let own: Vec<AclBinding> = own.cloned().collect();
            self.tell(&format!(
                "ACLs for principal `{principal}`\n{}",
                render::current(&own)
            ))?;
        }
        self.tell_data(render::listed(&acls))
    }

    async fn describe(&self, resource: ResourceFilter) -> Result<Vec<AclBinding>, Thrown> {
        let filter = AclFilter {
            resource,
            entry: None,
        };
        let found = self.admin.describe_acls(&filter).await;
        found.map_err(Thrown::call("describeAcls"))
    }

    fn tell(&mut self, text: &str) -> io::Result<()> {
        match self.format {
            Format::Table => self.cx.out.write_all(text.as_bytes()),
            Format::Data(_) => Ok(()),
        }
    }

    fn tell_data(&mut self, report: Report) -> Result<(), Ended> {
        if let Format::Data(form) = self.format {
            self.cx.out.write_all(report.text(form).as_bytes())?;
        }
        Ok(())
    }

    /// Whether whoever sits at the terminal says yes.
    fn is_confirmed(&mut self, question: &str) -> Result<bool, Ended> {
        match self.format {
            Format::Table => {
                writeln!(self.cx.out, "{question}")?;
                self.cx.out.flush()?;
            }
            Format::Data(_) => self.cx.warn(question),
        }
        if !self.cx.stdin_is_terminal {
            return Err(Thrown::nobody_to_ask().into());
        }
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        let answer = answer.trim_end_matches(['\n', '\r']);
        Ok(answer.eq_ignore_ascii_case("y"))
    }
}
